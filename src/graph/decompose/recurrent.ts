import { choiceAttribute, floatAttribute, floatValue, intAttribute, intValue } from '../attributes.js';
import type { OperatorContext } from '../operators/definition.js';
import {
  directions,
  gateCounts,
  type RecurrentDims,
  type RecurrentOp,
  recurrences,
  recurrentDims,
} from '../operators/recurrent.js';
import { type RecurrentActivation, recurrentActivations } from '../operators/recurrent_activations.js';
import { type Decomposition, type DecompositionFamily, Words } from './definition.js';

/** Steps of both directions together that are written out; each becomes some twenty nodes. */
const mostSteps = 1024;

/**
 * Recurrent layers with weights of run time, step by step in products and activations. Where W, R and B are constants
 * the node stays whole: its kernel packs them.
 */
export const recurrent: DecompositionFamily = Object.fromEntries(
  Object.keys(gateCounts).map((op) => [op, unrolled(op as RecurrentOp)]),
);

function unrolled(op: RecurrentOp): Decomposition {
  return (context, decomposer) => {
    const known = [1, 2, 3].every((i) => !context.has(i) || context.constant(i) !== undefined);
    if (known) return undefined;
    recurrences[op]?.infer(context); // checks the dims
    const dims = recurrentDims(context.node, (index) => context.dims(index));
    if (dims.steps * dims.directions > mostSteps)
      throw context.unsupported(`weights of run time over more than ${mostSteps} steps`);
    const w = new Words(decomposer);
    const activations = recurrentActivations(context.node, dims.directions, (reason) =>
      context.unsupported(reason),
    );
    const each = activations.length / dims.directions;
    const direction = choiceAttribute(context.node, 'direction', directions, 'forward');
    const runs = Array.from({ length: dims.directions }, (_, d) =>
      new Walk(w, context, op, dims, {
        index: d,
        reverse: direction === 'reverse' || d === 1,
        activations: activations.slice(d * each, (d + 1) * each),
      }).run(),
    );
    const joined = (values: readonly string[], axis: number) =>
      values.length === 1 ? (values[0] ?? '') : w.op('Concat', values, { axis: intValue(axis) });
    const last = (of: (run: (typeof runs)[number]) => string) => {
      const states = joined(runs.map(of), 0); // [directions, batch, hidden]
      return dims.batchFirst ? w.transpose(states, [1, 0, 2]) : states;
    };
    const all = joined(
      runs.map(({ y }) => y),
      1,
    ); // [steps, directions, batch, hidden]
    const y = dims.batchFirst ? w.transpose(all, [2, 0, 1, 3]) : all;
    return [y, last(({ h }) => h), ...(op === 'LSTM' ? [last(({ c }) => c)] : [])];
  };
}

interface Direction {
  readonly index: number;
  readonly reverse: boolean;
  readonly activations: readonly RecurrentActivation[];
}

/** One direction of a layer; states are [batch, hidden]. */
class Walk {
  readonly #w: Words;
  readonly #context: OperatorContext;
  readonly #op: RecurrentOp;
  readonly #dims: RecurrentDims;
  readonly #direction: Direction;
  readonly #lengths: string | undefined; // int32 [batch, 1]

  constructor(
    w: Words,
    context: OperatorContext,
    op: RecurrentOp,
    dims: RecurrentDims,
    direction: Direction,
  ) {
    this.#w = w;
    this.#context = context;
    this.#op = op;
    this.#dims = dims;
    this.#direction = direction;
    this.#lengths = context.has(4) ? w.reshape(context.node.inputs[4] ?? '', [dims.batch, 1]) : undefined;
  }

  run(): { readonly y: string; readonly h: string; readonly c: string } {
    const w = this.#w;
    const { steps, batch, hidden } = this.#dims;
    const { reverse } = this.#direction;
    const projected = this.#turned(this.#projected());
    const recurrence = w.transpose(this.#own(2), [1, 0]); // [hidden, rows]
    let [h, c] = [this.#state(5), this.#state(6)];
    const outputs: string[] = [];
    for (let step = 0; step < steps; step++) {
      const x = w.reshape(w.slice(projected, 0, step, step + 1), [batch, this.#rows()]);
      const next = this.#cell(x, h, c, recurrence);
      const running = this.#isRunning(step);
      const kept = (fresh: string, old: string) =>
        running === undefined ? fresh : w.where(running, fresh, old);
      [h, c] = [kept(next.h, h), kept(next.c, c)];
      outputs.push(w.reshape(kept(next.h, w.scalar(0, h)), [1, batch, hidden]));
    }
    const joined =
      steps === 0 ? w.filled(0, [0, batch, hidden], h) : w.op('Concat', outputs, { axis: intValue(0) });
    const y = reverse ? this.#turned(joined) : joined;
    const apart = (state: string) => w.reshape(state, [1, batch, hidden]);
    return { y: w.reshape(y, [steps, 1, batch, hidden]), h: apart(h), c: apart(c) };
  }

  /** X W^T and the biases that are added to it, [steps, batch, rows]. */
  #projected(): string {
    const w = this.#w;
    const [x = ''] = this.#context.node.inputs;
    const stepsFirst = this.#dims.batchFirst ? w.transpose(x, [1, 0, 2]) : x;
    const product = w.op('MatMul', [stepsFirst, w.transpose(this.#own(1), [1, 0])]);
    if (!this.#context.has(3)) return product;
    const rows = this.#rows();
    const [input, recurrent] = [this.#bias(0, rows), this.#bias(rows, 2 * rows)];
    if (!this.#resetsLinearly()) return w.add(w.add(product, input), recurrent);
    const summed = rows - this.#dims.hidden; // the last gate's is inside of what the reset gate multiplies
    const zeros = w.filled(0, [this.#dims.hidden], recurrent);
    const outside = w.op('Concat', [w.slice(recurrent, 0, 0, summed), zeros], { axis: intValue(0) });
    return w.add(w.add(product, input), outside);
  }

  /** In the order in which the direction sees it: sequences of their own length each turn in place. */
  #turned(x: string): string {
    const w = this.#w;
    const { steps, batch } = this.#dims;
    if (!this.#direction.reverse) return x;
    if (this.#lengths === undefined) {
      const places = Array.from({ length: steps }, (_, i) => steps - 1 - i);
      return w.gather(x, w.constant('int64', [steps], places), 0);
    }
    const lengths = w.reshape(w.cast(this.#lengths, 'int64'), [batch]);
    return w.op('ReverseSequence', [x, lengths], { time_axis: intValue(0), batch_axis: intValue(1) });
  }

  #cell(x: string, h: string, c: string, recurrence: string): { readonly h: string; readonly c: string } {
    if (this.#op === 'LSTM') return this.#lstm(this.#w.add(x, this.#w.op('MatMul', [h, recurrence])), c);
    if (this.#op === 'GRU') return { h: this.#gru(x, h, recurrence), c };
    return { h: this.#activate(0, this.#w.add(x, this.#w.op('MatMul', [h, recurrence]))), c };
  }

  /** Gates i, o, f, c. As in the kernel and in onnxruntime, what the last activation sees is not clipped. */
  #lstm(gates: string, c: string): { readonly h: string; readonly c: string } {
    const w = this.#w;
    const { hidden } = this.#dims;
    const gate = (i: number) => w.slice(gates, 1, i * hidden, (i + 1) * hidden);
    const peep = (i: number, value: string, state: string) =>
      this.#context.has(7)
        ? w.add(value, w.mul(w.slice(this.#own(7), 0, i * hidden, (i + 1) * hidden), state))
        : value;
    const input = this.#activate(0, peep(0, gate(0), c));
    const coupled = intAttribute(this.#context.node, 'input_forget', 0) !== 0;
    const forget = coupled ? w.sub(w.scalar(1, input), input) : this.#activate(0, peep(2, gate(2), c));
    const next = w.add(w.mul(forget, c), w.mul(input, this.#activate(1, gate(3))));
    const output = this.#activate(0, peep(1, gate(1), next));
    return { h: w.mul(output, this.#activate(2, next, false)), c: next };
  }

  /** Gates z, r, h. */
  #gru(x: string, h: string, recurrence: string): string {
    const w = this.#w;
    const { hidden } = this.#dims;
    const [both, third] = [
      w.slice(recurrence, 1, 0, 2 * hidden),
      w.slice(recurrence, 1, 2 * hidden, 3 * hidden),
    ];
    const gates = this.#activate(0, w.add(w.slice(x, 1, 0, 2 * hidden), w.op('MatMul', [h, both])));
    const [z, r] = [w.slice(gates, 1, 0, hidden), w.slice(gates, 1, hidden, 2 * hidden)];
    const inner = () => {
      if (!this.#resetsLinearly()) return w.op('MatMul', [w.mul(r, h), third]);
      const product = w.op('MatMul', [h, third]);
      const rows = this.#rows();
      return w.mul(
        r,
        this.#context.has(3) ? w.add(product, this.#bias(2 * rows - hidden, 2 * rows)) : product,
      );
    };
    const fresh = this.#activate(1, w.add(w.slice(x, 1, 2 * hidden, 3 * hidden), inner()));
    return w.add(fresh, w.mul(z, w.sub(h, fresh)));
  }

  #activate(which: number, x: string, clipped = true): string {
    const w = this.#w;
    const { op, alpha, beta } = this.#direction.activations[which] as RecurrentActivation;
    const clip = floatAttribute(this.#context.node, 'clip', 0);
    const seen = clipped && clip > 0 ? w.op('Clip', [x, w.scalar(-clip, x), w.scalar(clip, x)]) : x;
    if (op === 'Affine') return w.add(w.mul(seen, w.scalar(alpha, x)), w.scalar(beta, x));
    const numbers = { alpha: floatValue(alpha), beta: floatValue(beta) };
    return w.op(op, [seen], ['LeakyRelu', 'HardSigmoid', 'Elu'].includes(op) ? numbers : {});
  }

  /** Whether each sequence of the batch has a value at this step; undefined: all have. */
  #isRunning(step: number): string | undefined {
    const w = this.#w;
    if (this.#lengths === undefined) return undefined;
    return w.op('Less', [w.scalar(step, this.#lengths), this.#lengths]);
  }

  /** The direction's part of an operand [directions, ...]. */
  #own(input: number): string {
    const { index } = this.#direction;
    const whole = this.#context.node.inputs[input] ?? '';
    return this.#w.reshape(this.#w.slice(whole, 0, index, index + 1), this.#context.dims(input).slice(1));
  }

  #bias(begin: number, end: number): string {
    return this.#w.slice(this.#own(3), 0, begin, end);
  }

  /** An initial state [batch, hidden], zeros where none is given. */
  #state(input: number): string {
    const { batch, hidden, batchFirst } = this.#dims;
    if (!this.#context.has(input))
      return this.#w.filled(0, [batch, hidden], this.#context.node.inputs[0] ?? '');
    const given = this.#context.node.inputs[input] ?? '';
    const directionFirst = batchFirst ? this.#w.transpose(given, [1, 0, 2]) : given;
    const { index } = this.#direction;
    return this.#w.reshape(this.#w.slice(directionFirst, 0, index, index + 1), [batch, hidden]);
  }

  #rows(): number {
    return gateCounts[this.#op] * this.#dims.hidden;
  }

  #resetsLinearly(): boolean {
    return this.#op === 'GRU' && intAttribute(this.#context.node, 'linear_before_reset', 0) !== 0;
  }
}
