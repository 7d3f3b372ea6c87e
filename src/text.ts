import Table from 'cli-table3';

/** `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `1.23 M`, `45.6 k`, `789`. */
export function shortCount(value: number): string {
  return scaled(value, 1000, ['', ' k', ' M', ' G']);
}

/** `1.23 MiB`. */
export function bytes(value: number): string {
  return scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB']);
}

/** `80.0 %` for 0.8. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** `1.23 ms`, `45.6 us`, `7.89 s`. */
export function milliseconds(value: number): string {
  if (value > 0 && value < 1) return `${threeDigits(value * 1000)} us`;
  return value < 1000 ? `${threeDigits(value)} ms` : `${threeDigits(value / 1000)} s`;
}

/** `[1, 3, 48, 320]`; a dimension without a name is `?`, and unknown dims are `[...]`. */
export function dims(values: readonly (number | string)[] | undefined): string {
  return values === undefined
    ? '[...]'
    : `[${values.map((value) => (value === '' ? '?' : value)).join(', ')}]`;
}

/** Columns of plain text under a header; columns whose name is in `rightAligned` hold numbers. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly string[] = [],
): string {
  const lines = new Table({
    head: [...header],
    colAligns: header.map((name) => (rightAligned.includes(name) ? 'right' : 'left')),
    chars: plain,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  lines.push(...rows.map((row) => row.map(printable)));
  return lines.toString().replace(/[ ]+$/gm, '');
}

/** Text from a model with its control, bidi and line-separating characters shown, so that a name cannot steer a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    if (escaped !== character) return escaped;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`; // JSON leaves most of them as they are
  });
}

const plain = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

function scaled(value: number, step: number, units: readonly string[]): string {
  const power = Math.min(
    units.length - 1,
    value < step ? 0 : Math.floor(Math.log(value) / Math.log(step) + 1e-12),
  );
  const number = value / step ** power;
  return `${power === 0 ? String(number) : threeDigits(number)}${units[power]}`;
}

function threeDigits(value: number): string {
  const decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(decimals);
}
