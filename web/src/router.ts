// Hash routes: the page works from any static folder, and a link can be copied.

export type Route =
  | {page: 'projects'}
  | {page: 'login'}
  | {page: 'join'; token: string}
  | {page: 'reset'; token: string}
  | {page: 'project'; id: string}
  | {page: 'label'; id: string}
  | {page: 'run'; id: string}
  | {page: 'models'}
  | {page: 'model'; name: string; version: number | null}
  | {page: 'team'}
  | {page: 'account'}
  | {page: 'missing'; path: string};

/** Reads `#/…`; anything not understood is 'missing', never another page. */
export function parseRoute(hash: string): Route {
  const path = hash.replace(/^#/, '').replace(/[?].*$/, '');
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return {page: 'missing', path};
  }
  const [first, second, third] = parts;
  const missing: Route = {page: 'missing', path};
  switch (first) {
    case undefined:
      return {page: 'projects'};
    case 'projects':
      if (parts.length === 1) return {page: 'projects'};
      if (parts.length === 2) return {page: 'project', id: second!};
      return parts.length === 3 && third === 'label' ? {page: 'label', id: second!} : missing;
    case 'join':
    case 'reset':
      return parts.length === 2 ? {page: first, token: second!} : missing;
    case 'runs':
      return parts.length === 2 ? {page: 'run', id: second!} : missing;
    case 'models': {
      if (parts.length === 1) return {page: 'models'};
      if (parts.length === 2) return {page: 'model', name: second!, version: null};
      const version = Number(third);
      return parts.length === 3 && Number.isInteger(version) && version > 0
        ? {page: 'model', name: second!, version} : missing;
    }
    case 'login':
    case 'team':
    case 'account':
      return parts.length === 1 ? {page: first} : missing;
    default:
      return missing;
  }
}

/** The address of a page; the inverse of parseRoute. */
export function href(...parts: (string | number)[]): string {
  return '#/' + parts.map((part) => encodeURIComponent(part)).join('/');
}

export function go(address: string): void {
  location.hash = address;
}
