// Node 18 has no CustomEvent of its own; browsers have had one for long.
if (!('CustomEvent' in globalThis)) {
  class CustomEvent<T> extends Event {
    readonly detail: T | undefined;
    constructor(type: string, init: {detail?: T} = {}) {
      super(type);
      this.detail = init.detail;
    }
  }
  Object.assign(globalThis, {CustomEvent});
}
