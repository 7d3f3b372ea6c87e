import type { EspalierError } from '../../errors.js';
import { floatsAttribute, stringsAttribute } from '../attributes.js';
import type { Node } from '../graph.js';
import type { RecurrentOp } from './recurrent.js';

/** The operators that activations of recurrent ones are. */
export type ActivationOp =
  | 'Relu'
  | 'Tanh'
  | 'Sigmoid'
  | 'Softplus'
  | 'Affine'
  | 'LeakyRelu'
  | 'HardSigmoid'
  | 'Elu';

export interface RecurrentActivation {
  readonly op: ActivationOp;
  /** 0 where the operator has no such parameter. */
  readonly alpha: number;
  readonly beta: number;
}

/** An activation with the parameters that hold where a model gives none; undefined parameters: it has none. */
interface Form extends Partial<RecurrentActivation> {
  readonly op: ActivationOp;
}

/** By the names that ONNX gives, in lower case. */
const forms: ReadonlyMap<string, Form> = new Map(
  (
    [
      ...(['Relu', 'Tanh', 'Sigmoid', 'Softplus'] as const).map((op) => ({ op })),
      { op: 'Affine', alpha: 1, beta: 0 },
      { op: 'LeakyRelu', alpha: 0.01 },
      { op: 'HardSigmoid', alpha: 0.2, beta: 0.5 },
      { op: 'Elu', alpha: 1 },
    ] satisfies Form[]
  ).map((form) => [form.op.toLowerCase(), form]),
);

const defaults: Readonly<Record<RecurrentOp, readonly string[]>> = {
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  RNN: ['Tanh'],
};

/**
 * The activations of each direction, one after the other. `activation_alpha` and `_beta` hold values for those that have
 * such a parameter, in order.
 * @param refuse makes the error for ScaledTanh, Softsign and ThresholdedRelu
 */
export function recurrentActivations(
  node: Node,
  directions: number,
  refuse: (reason: string) => EspalierError,
): RecurrentActivation[] {
  const standard = defaults[node.op as RecurrentOp];
  const wanted = directions * standard.length;
  const names = stringsAttribute(node, 'activations') ?? [...standard, ...standard].slice(0, wanted);
  if (names.length !== wanted) throw refuse(`${names.length} activations instead of ${wanted}`);
  const alphas = [...(floatsAttribute(node, 'activation_alpha') ?? [])];
  const betas = [...(floatsAttribute(node, 'activation_beta') ?? [])];
  return names.map((name) => {
    const form = forms.get(name.toLowerCase());
    if (form === undefined) throw refuse(`the activation ${name}`);
    return {
      op: form.op,
      alpha: form.alpha === undefined ? 0 : (alphas.shift() ?? form.alpha),
      beta: form.beta === undefined ? 0 : (betas.shift() ?? form.beta),
    };
  });
}
