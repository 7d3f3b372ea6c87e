import type { StepSpec, TensorRef } from '../native/addon.js';

/** An output that may lie in the memory of an input, by their indices. */
export interface InPlace {
  readonly input: number;
  readonly output: number;
}

/**
 * Outputs that begin as a copy of an input which nothing reads after that: caches that a model appends to or writes
 * into. When both lie at one address, the copy has nothing to do.
 */
export function findInPlace(steps: readonly StepSpec[]): InPlace[] {
  const first = new Map<number, number>(); // by output, the step that writes it first
  for (const [i, { outputs }] of steps.entries())
    for (const { space, index } of outputs) if (space === 'output' && !first.has(index)) first.set(index, i);
  const taken = new Set<number>();
  return [...first].flatMap(([output, at]) => {
    const [source] = steps[at]?.inputs ?? [];
    if (source?.space !== 'input' || taken.has(source.index) || !copiesToSamePlaces(steps[at] as StepSpec))
      return [];
    const isRead = ({ space, index }: TensorRef) => space === 'input' && index === source.index;
    if (steps.slice(at + 1).some(({ inputs }) => inputs.some(isRead))) return [];
    taken.add(source.index);
    return [{ input: source.index, output }];
  });
}

/** Whether a step copies its first elements, each to the place that it had. */
function copiesToSamePlaces({ op, ints, inputs, outputs }: StepSpec): boolean {
  if (op !== 'copy' || inputs[0]?.type !== outputs[0]?.type) return false;
  const list = (key: string) => [ints[key] ?? []].flat();
  const [dims, from, to] = [list('dims'), list('x_strides'), list('y_strides')];
  const starts = [...list('x_start'), ...list('y_start')];
  return starts.every((start) => start === 0) && dims.every((dim, i) => dim === 1 || from[i] === to[i]);
}
