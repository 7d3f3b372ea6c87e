import { floatsAttribute, stringsAttribute } from '../../graph/attributes.js';
import type { Node } from '../../graph/graph.js';
import type { RecurrentOp } from '../../graph/operators/recurrent.js';
import type { UnaryOp } from '../../native/codes.js';
import { unsupported } from '../builder.js';

/** An activation of a recurrent operator; undefined parameters: it has none. */
interface Form {
  readonly op: UnaryOp;
  readonly alpha?: number;
  readonly beta?: number;
}

/** Names that ONNX gives, and the parameters where a model gives none. */
const forms: Readonly<Record<string, Form>> = {
  relu: { op: 'relu' },
  tanh: { op: 'tanh' },
  sigmoid: { op: 'sigmoid' },
  softplus: { op: 'softplus' },
  affine: { op: 'affine', alpha: 1, beta: 0 },
  leakyrelu: { op: 'leakyRelu', alpha: 0.01 },
  hardsigmoid: { op: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  elu: { op: 'elu', alpha: 1 },
};

const defaults: Readonly<Record<RecurrentOp, readonly string[]>> = {
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  RNN: ['Tanh'],
};

/**
 * The activations of each direction, one after the other, as the native step takes them. `activation_alpha` and `_beta`
 * hold values for those that have such a parameter, in order.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED for ScaledTanh, Softsign and ThresholdedRelu
 */
export function recurrentActivations(node: Node, op: RecurrentOp, directions: number) {
  const standard = defaults[op];
  const wanted = directions * standard.length;
  const names = stringsAttribute(node, 'activations') ?? [...standard, ...standard].slice(0, wanted);
  if (names.length !== wanted) throw unsupported(node, `${names.length} activations instead of ${wanted}`);
  const alphas = [...(floatsAttribute(node, 'activation_alpha') ?? [])];
  const betas = [...(floatsAttribute(node, 'activation_beta') ?? [])];
  const chosen = names.map((name) => {
    const key = name.toLowerCase();
    const form = Object.hasOwn(forms, key) ? forms[key] : undefined;
    if (form === undefined) throw unsupported(node, `the activation ${name}`);
    return {
      op: form.op,
      alpha: form.alpha === undefined ? 0 : (alphas.shift() ?? form.alpha),
      beta: form.beta === undefined ? 0 : (betas.shift() ?? form.beta),
    };
  });
  return {
    numbers: chosen.map((one) => one.op),
    floats: { alphas: chosen.map((one) => one.alpha), betas: chosen.map((one) => one.beta) },
  };
}
