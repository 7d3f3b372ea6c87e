import type { Graph } from '../graph/graph.js';
import { LayerBuilder } from './layers.js';

export interface MlpOptions {
  /** Inputs, hidden layers, outputs. Default: 48, 512, 256, 128, 12, a legged robot's. */
  readonly widths?: readonly number[];
  readonly seed?: number;
}

/** A policy of fully connected layers with ELU between them: input `observation`, output `action`. */
export function mlpPolicy({ widths = [48, 512, 256, 128, 12], seed = 1 }: MlpOptions = {}): Graph {
  const b = new LayerBuilder('mlp-policy', seed);
  let x = b.input('observation', [1, widths[0] ?? 1]);
  for (const width of widths.slice(1, -1)) x = b.node('Elu', [b.linear(x, width, { gain: Math.SQRT2 })]);
  return b.output('action', b.linear(x, widths.at(-1) ?? 1)).build();
}

export interface LstmOptions {
  /** Numbers that the robot observes. Default: 48. */
  readonly observation?: number;
  /** Default: 256. */
  readonly hidden?: number;
  /** Default: 12. */
  readonly actions?: number;
  readonly seed?: number;
}

/**
 * A recurrent policy of one LSTM, one step a run: inputs `observation`, and the states `h` and `c` [1, 1, hidden] that the
 * last run returned as `next_h` and `next_c`; output `action`.
 */
export function lstmPolicy(options: LstmOptions = {}): Graph {
  const { observation = 48, hidden = 256, actions = 12, seed = 1 } = options;
  const b = new LayerBuilder('lstm-policy', seed);
  const x = b.reshape(b.input('observation', [1, observation]), [1, 1, observation]);
  const states = [b.input('h', [1, 1, hidden]), b.input('c', [1, 1, hidden])];
  const weights = [observation, hidden].map((inputs) => b.weights([1, 4 * hidden, inputs], inputs));
  const inputs = [x, ...weights, b.random([1, 8 * hidden], 0.1), '', ...states];
  const [, h = '', c = ''] = b.nodes('LSTM', inputs, 3, { hidden_size: hidden });
  b.output('action', b.linear(b.reshape(h, [1, hidden]), actions));
  return b.output('next_h', h).output('next_c', c).build();
}
