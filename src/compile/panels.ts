import type { WeightFormat } from '../sparse/weight_formats.js';
import type { PlanBuilder, StepDraft } from './builder.js';

/** Up to as many tokens kernels take rows as they are; see kFewTokens in native/runtime/ops/product.cc. */
const fewTokens = 24;

/** Formats whose kernels like wider panels: see CutTokens there. */
const wideFormats: readonly WeightFormat[] = ['sell', 'block4'];

/**
 * Where one product's result is what another multiplies and nothing else (the two layers of an MLP), it stays as the
 * panels that kernels read, [tiles, channels, tile], instead of rows that would be transposed to be written, and again to
 * be read. Changes the values' dims in the builder.
 * @param isInner whether a value lies in the arena
 */
export function keepPanels(
  steps: readonly StepDraft[],
  builder: PlanBuilder,
  isInner: (value: string) => boolean,
): StepDraft[] {
  const kept = [...steps];
  const writers = new Map<string, number>();
  const reads = new Map<string, number>();
  for (const [i, { inputs, outputs }] of steps.entries()) {
    for (const { value } of outputs) writers.set(value, i);
    for (const { value } of inputs) reads.set(value, (reads.get(value) ?? 0) + 1);
  }
  const formats = new Map(
    builder.layers.flatMap(({ weights, choice }) => weights.map((id) => [id, choice.format])),
  );
  const isWide = ({ weights }: StepDraft) =>
    weights.every((id) => wideFormats.includes(formats.get(id) ?? 'dense'));

  for (const [i, step] of steps.entries()) {
    const value = step.inputs[0]?.value ?? '';
    const at = writers.get(value) ?? i;
    const before = kept[at] as StepDraft;
    const n = Number(step.ints['n']);
    const isChain = at < i && isProduct(step) && isProduct(before) && before.ints['n'] === step.ints['n'];
    if (!isChain || n <= fewTokens || before.ints['has_residual'] === 1) continue;
    if (reads.get(value) !== 1 || !isInner(value)) continue;
    const tile = tileWidth(n, isWide(step) && isWide(before) ? 64 : 48);
    if ((before.ints['x_tile'] ?? tile) !== tile) continue;
    const channels = builder.dimsOf(value).at(-1) ?? 0;
    const dims = [Math.ceil(n / tile), channels, tile];
    builder.values.set(value, { ...builder.typeOf(value), dims });
    const panels = { value, dims };
    kept[at] = { ...before, outputs: [panels], ints: { ...before.ints, y_tile: tile } };
    kept[i] = { ...step, inputs: [panels, ...step.inputs.slice(1)], ints: { ...step.ints, x_tile: tile } };
  }
  return kept;
}

/** A product with one weight matrix: no low-rank part. */
const isProduct = ({ op, weights }: StepDraft) => op === 'matmul' && weights.length === 1;

/** Tiles of nearly equal width, a multiple of 16. */
function tileWidth(tokens: number, most: number): number {
  const units = Math.ceil(tokens / 16);
  return Math.ceil(units / Math.ceil(units / (most / 16))) * 16;
}
