import type { Graph } from '../graph/graph.js';
import { InferenceSession } from '../session.js';
import type { Tensor, TensorMap } from '../tensor.js';
import { cutGraph } from './cut.js';
import type { Samples } from './samples.js';

/** Values of a graph for one sample, by name. */
export type Values = ReadonlyMap<string, Tensor>;

/**
 * Calls `visit` with the named values of a graph for one sample after the other; no sample's values outlive its visit.
 * Of the graph only what computes them runs.
 */
export async function forEachSample(
  graph: Graph,
  names: readonly string[],
  samples: Samples,
  threads: number,
  visit: (values: Values, index: number) => void | Promise<void>,
): Promise<void> {
  await forEachSamplePair(graph, undefined, names, samples, threads, (values, _none, index) =>
    visit(values, index),
  );
}

/** The same with two graphs at a time, which have the values in common; the second may be left out. */
export async function forEachSamplePair(
  first: Graph,
  second: Graph | undefined,
  names: readonly string[],
  samples: Samples,
  threads: number,
  visit: (first: Values, second: Values, index: number) => void | Promise<void>,
): Promise<void> {
  using one = open(first, names, threads);
  using two = second === undefined ? undefined : open(second, names, threads);
  for (const [index, sample] of samples.entries()) {
    const values = await one.run(sample);
    await visit(values, two === undefined ? values : await two.run(sample), index);
  }
}

interface Runner extends Disposable {
  run(sample: TensorMap): Promise<Values>;
}

function open(graph: Graph, names: readonly string[], threads: number): Runner {
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const computed = names.filter((name) => !fed.has(name));
  const cut = cutGraph(graph, computed);
  const session = computed.length === 0 ? undefined : InferenceSession.fromGraph(cut, { threads });
  const pick = (sample: TensorMap, wanted: readonly string[]) =>
    wanted.map((name) => [name, sample[name] as Tensor] as const);
  const inputs = cut.inputs.map(({ name }) => name);
  return {
    run: async (sample) => {
      const outputs = (await session?.run(Object.fromEntries(pick(sample, inputs)))) ?? {};
      const given = pick(
        sample,
        names.filter((name) => fed.has(name)),
      );
      return new Map([...Object.entries(outputs), ...given]);
    },
    [Symbol.dispose]: () => session?.release(),
  };
}
