import { compileModel } from '../../esp/index.js';
import { benchSession } from '../../evaluate/bench.js';
import { profileSession } from '../../evaluate/profile.js';
import type { Graph } from '../../graph/graph.js';
import { InferenceSession } from '../../session.js';
import type { TensorMap } from '../../tensor.js';
import { countNetwork } from './count.js';
import type { Quantity, ResolvedTarget } from './options.js';

/** A step of a network as it runs: the node it comes from, and how its weights are stored. */
export interface TimedStep {
  readonly name: string;
  readonly format?: string | undefined;
  readonly milliseconds: number;
}

/** Measures networks. What is timed is timed on the machine at hand; a test brings its own. */
export interface Meter {
  /** How long each step of a run takes. */
  steps(graph: Graph): readonly TimedStep[];
  /** The whole network's. */
  amount(graph: Graph, quantity: Quantity): number;
}

/** Measures by sessions that run a graph on given feeds, as the session that is to run the network will. */
export function sessionMeter(
  feeds: TensorMap,
  { threads, seconds }: Pick<ResolvedTarget, 'threads' | 'seconds'>,
): Meter {
  const open = (graph: Graph) => InferenceSession.fromGraph(graph, threads === undefined ? {} : { threads });
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
  return {
    steps: (graph) => {
      using session = open(graph);
      return profileSession(session, feeds);
    },
    amount: (graph, quantity) => {
      if (quantity === 'bytes') return compileModel(graph, { shapes }).byteLength;
      if (quantity === 'flops' || quantity === 'parameters') return countNetwork(graph, shapes)[quantity];
      using session = open(graph);
      const { p50, p99 } = benchSession(session, feeds, { seconds });
      return quantity === 'p50Milliseconds' ? p50 : p99;
    },
  };
}
