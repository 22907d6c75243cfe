/** Local date and time to the second: `2026-11-20 19:37:09`. */
export function moment(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** Local time of day with milliseconds: `19:37:09.123`. */
export function timeOfDay(ms: number): string {
  return `${moment(ms).slice(11)}.${String(ms % 1000).padStart(3, '0')}`;
}

/** How long, in the two largest units: `3m 20s`, `2h 5m`, `0s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units: readonly [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  const parts: string[] = [];
  let rest = seconds;
  for (const [size, name] of units) {
    if (rest >= size && parts.length < 2) parts.push(`${Math.floor(rest / size)}${name}`);
    rest %= size;
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

/** A duration of an operation: `0.42 ms`, `12 ms`, `3.1 s`. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(2)} ms`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
