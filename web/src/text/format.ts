// Numbers, sizes, times and lengths as a person reads them.

const whole = new Intl.NumberFormat('en');

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : whole.format(value);
}

/** "1 prompt", "1,200 prompts". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${whole.format(value)} ${value === 1 ? one : many}`;
}

/** Up to `digits` significant digits, without trailing noise: 0.00005, 12.3, 1,204. */
export function figure(value: unknown, digits = 4): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
  if (size >= 1000) return whole.format(Math.round(value));
  return String(Number(value.toPrecision(digits)));
}

export function percent(share: unknown, digits = 1): string {
  return typeof share === 'number' && Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : '–';
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    ++unit;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** "45 s", "3 min 20 s", "2 h 5 min": two units at most. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return '–';
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
  const h = Math.floor(s / 3600);
  const min = Math.round((s % 3600) / 60);
  if (h < 24) return min ? `${h} h ${min} min` : `${h} h`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

export function when(time: string | null | undefined): string {
  if (!time) return '–';
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time
    : date.toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'short'});
}

/** "just now", "5 min ago", "in 3 d". */
export function ago(time: string | null | undefined, now = Date.now()): string {
  if (!time) return 'never';
  const then = new Date(time).getTime();
  if (Number.isNaN(then)) return time;
  const seconds = (now - then) / 1000;
  if (Math.abs(seconds) < 45) return 'just now';
  const text = coarse(Math.abs(seconds));
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function coarse(seconds: number): string {
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function words(text: string): number {
  return text.trim() ? text.trim().split(/\s+/u).length : 0;
}

export function short(hash: string | null | undefined, n = 12): string {
  return hash ? hash.slice(0, n) : '–';
}
