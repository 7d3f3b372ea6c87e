import type { LayerSensitivity, SensitivityReport } from './report.js';

/** Pixels. */
const cell = { width: 170, height: 130, left: 44, top: 26, right: 10, bottom: 24 };
const columns = 4;
const margin = 16;
const heading = 40;
/** Errors below are drawn as this: the axis is a logarithm. */
const leastError = 1e-6;

/**
 * A picture of a report as SVG: a small plot for each layer, all on one scale, error upwards (logarithmic for relative
 * errors) over sparsity. Layers that mind most come first.
 */
export function sensitivityPicture(report: SensitivityReport): string {
  const scale = scaleOf(report);
  const layers = [...report.layers].sort((a, b) => worstOf(b) - worstOf(a));
  const rows = Math.max(1, Math.ceil(layers.length / columns));
  const width = 2 * margin + columns * cell.width;
  const height = 2 * margin + heading + rows * cell.height;
  const plots = layers.map((layer, i) => {
    const x = margin + (i % columns) * cell.width;
    const y = margin + heading + Math.floor(i / columns) * cell.height;
    return `<g transform="translate(${x} ${y})">${plot(layer, scale)}</g>`;
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="9">`,
    '<style>text{fill:#333}.title{font-size:13px}.axis{stroke:#999;fill:none}.grid{stroke:#e4e4e4}.curve{stroke:#1565c0;fill:none;stroke-width:1.5}.point{fill:#1565c0}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="${margin}" y="${margin + 10}">${escaped(titleOf(report))}</text>`,
    `<text x="${margin}" y="${margin + 26}">${escaped(subtitleOf(report))}</text>`,
    ...plots,
    '</svg>',
  ].join('\n')}\n`;
}

interface Scale {
  /** From 0 at the bottom to 1 at the top. */
  readonly at: (error: number) => number;
  readonly ticks: readonly { readonly error: number; readonly label: string }[];
}

/** Powers of ten for relative errors; whole losses, which may be negative, on a straight axis. */
function scaleOf({ measure, layers }: SensitivityReport): Scale {
  const errors = layers.flatMap(({ points }) => points.map(({ error }) => error));
  if (measure === 'loss') {
    const [low, high] = [Math.min(0, ...errors), Math.max(0, ...errors)];
    const range = high - low || 1;
    const ticks = [low, low + range / 2, low + range].map((error) => ({
      error,
      label: error.toPrecision(2),
    }));
    return { at: (error) => (error - low) / range, ticks };
  }
  const powers = errors.map((error) => Math.log10(Math.max(leastError, error)));
  const low = Math.floor(Math.min(0, ...powers));
  const high = Math.max(low + 1, Math.ceil(Math.max(...powers, low)));
  const step = Math.ceil((high - low) / 4);
  const ticks = Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => ({
    error: 10 ** (low + i * step),
    label: `1e${low + i * step}`,
  }));
  return { at: (error) => (Math.log10(Math.max(leastError, error)) - low) / (high - low), ticks };
}

function plot({ name, points }: LayerSensitivity, { at, ticks }: Scale): string {
  const [inner, tall] = [cell.width - cell.left - cell.right, cell.height - cell.top - cell.bottom];
  const x = (sparsity: number) => short(cell.left + sparsity * inner);
  const y = (error: number) => short(cell.top + (1 - at(error)) * tall);
  const path = points.map(({ sparsity, error }) => `${x(sparsity)},${y(error)}`).join(' ');
  return [
    `<text x="${cell.left}" y="${cell.top - 8}">${escaped(shortName(name))}<title>${escaped(name)}</title></text>`,
    ...ticks.map(
      ({ error, label }) =>
        `<line class="grid" x1="${cell.left}" x2="${cell.left + inner}" y1="${y(error)}" y2="${y(error)}"/>` +
        `<text x="${cell.left - 4}" y="${short(y(error) + 3)}" text-anchor="end">${label}</text>`,
    ),
    ...[0, 0.5, 1].map(
      (sparsity) =>
        `<text x="${x(sparsity)}" y="${cell.top + tall + 12}" text-anchor="middle">${sparsity * 100}%</text>`,
    ),
    `<path class="axis" d="M${cell.left} ${cell.top}v${tall}h${inner}"/>`,
    `<polyline class="curve" points="${path}"/>`,
    ...points.map(
      ({ sparsity, error }) => `<circle class="point" cx="${x(sparsity)}" cy="${y(error)}" r="2"/>`,
    ),
  ].join('');
}

function titleOf({ measure }: SensitivityReport): string {
  if (measure === 'loss') return 'What each layer adds to the loss, pruned alone, over its sparsity';
  return `Relative error of the outputs of the ${measure}, each layer pruned alone, over its sparsity`;
}

function subtitleOf({ method, samples, layers }: SensitivityReport): string {
  const patterns = [...new Set(layers.map(({ pattern }) => pattern))].join(', ');
  return `${layers.length} layers, ${patterns}, by ${method}, ${samples} samples`;
}

function worstOf({ points }: LayerSensitivity): number {
  return points.at(-1)?.error ?? 0;
}

function shortName(name: string): string {
  return name.length > 24 ? `…${name.slice(-23)}` : name;
}

function short(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Names come from a model, which may hold anything; XML has no form for most control characters. */
function escaped(text: string): string {
  const known: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => known[character] ?? '').replace(/\p{Cc}|\p{Cs}/gu, '?');
}
