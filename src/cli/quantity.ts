/** Numbers for narrow columns: three digits or so, and a unit. */

const decimalUnits = ['', 'k', 'M', 'G', 'T', 'P'];
const binaryUnits = ['', 'K', 'M', 'G', 'T', 'P'];

/** Such as `0`, `0.4`, `312`, `1.2k`. */
export function countText(value: number): string {
  return scaled(value, 1_000, decimalUnits);
}

/** Of bytes, in steps of 1,024, such as `64`, `1.5K`, `16M`. */
export function bytesText(value: number): string {
  return scaled(value, 1_024, binaryUnits);
}

/** Of microseconds, such as `7µs`, `1.2ms`, `3.4s`; `-` for none. */
export function latencyText(us: number | undefined): string {
  if (us === undefined) return '-';
  if (us < 1_000) return `${digits(us)}µs`;
  return us < 1_000_000 ? `${digits(us / 1_000)}ms` : `${digits(us / 1_000_000)}s`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  // 999.6 of one unit would be shown as 1000 of it.
  while (Math.round(rest) >= step && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  return `${digits(rest)}${units[unit]}`;
}

/** One decimal below 10, where there is something to tell. */
function digits(value: number): string {
  const rounded = Math.round(value * 10) / 10;
  return rounded < 10 ? String(rounded) : String(Math.round(value));
}
