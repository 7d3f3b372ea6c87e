import { floatAttribute, floatsAttribute, floatValue, intAttribute } from '../../attributes.js';
import type { Attribute } from '../../graph.js';
import type { OperatorContext } from '../../operators/definition.js';
import { inWords } from '../activations.js';
import type { DecompositionFamily, Words } from '../definition.js';

/** Names of the numbers of the activations that onnxruntime puts into the operator before them, in its order. */
const activationNumbers: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  HardSigmoid: ['alpha', 'beta'],
  LeakyRelu: ['alpha'],
  Elu: ['alpha'],
  Clip: ['min', 'max'],
};

/** The activation that an attribute names; none where it is not there. */
function activate(w: Words, x: string, context: OperatorContext, numbers: readonly number[]): string {
  const name = context.node.attributes.get('activation');
  if (name === undefined || (name.kind === 'string' && name.value === '')) return x;
  const op = name.kind === 'string' ? name.value : '';
  const names = Object.hasOwn(activationNumbers, op) ? activationNumbers[op] : undefined;
  if (names === undefined) throw context.unsupported(`the activation ${JSON.stringify(op)}`);
  if (op === 'Clip') return w.op('Clip', [x, ...numbers.slice(0, 2).map((bound) => w.scalar(bound, x))]);
  const attributes = names.slice(0, numbers.length).map((key, i) => [key, floatValue(numbers[i] ?? 0)]);
  return w.op(op, [x], Object.fromEntries(attributes));
}

/** The node's attributes but for those of these names. */
function attributesBut({ node }: OperatorContext, left: RegExp): Record<string, Attribute> {
  return Object.fromEntries([...node.attributes].filter(([name]) => !left.test(name)));
}

/** x with its last two axes swapped. */
function swapped(w: Words, x: string): string {
  const axes = [...w.dims(x).keys()];
  return axes.length < 2 ? x : w.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}

function product(w: Words, a: string, context: OperatorContext): string {
  const { node } = context;
  const flag = (name: string) => intAttribute(node, name, 0) !== 0;
  if (flag('transBatchA') || flag('transBatchB')) throw context.unsupported('transBatchA and transBatchB');
  const b = node.inputs[1] ?? '';
  const y = w.op('MatMul', [flag('transA') ? swapped(w, a) : a, flag('transB') ? swapped(w, b) : b]);
  const alpha = floatAttribute(node, 'alpha', 1);
  return alpha === 1 ? y : w.mul(y, w.scalar(alpha, y));
}

const biased = (w: Words, x: string, bias: string) => (bias === '' ? x : w.add(x, bias));
const gelu = (w: Words, x: string, approximate = 'none') =>
  w.op('Gelu', [x], { approximate: { kind: 'string', value: approximate } });

/** Operators that onnxruntime's optimiser makes of several. */
export const fused: DecompositionFamily = {
  Gelu: inWords((w, x) => gelu(w, x)),
  BiasGelu: inWords((w, x, { node }) => gelu(w, biased(w, x, node.inputs[1] ?? ''))),
  FastGelu: inWords((w, x, { node }) => gelu(w, biased(w, x, node.inputs[1] ?? ''), 'tanh')),
  QuickGelu: inWords((w, x, { node }) =>
    w.mul(x, w.op('Sigmoid', [w.mul(x, w.scalar(floatAttribute(node, 'alpha', 1.702), x))])),
  ),
  FusedMatMul: inWords(product),
  TransposeMatMul: inWords(product),
  FusedConv: inWords((w, _x, context) => {
    const added = context.node.inputs[3] ?? '';
    const y = w.op('Conv', context.node.inputs.slice(0, 3), attributesBut(context, /^activation/));
    const numbers = floatsAttribute(context.node, 'activation_params') ?? [];
    return activate(w, biased(w, y, added), context, numbers);
  }),
  FusedGemm: inWords((w, _x, context) => {
    const y = w.op('Gemm', context.node.inputs, attributesBut(context, /^activation/));
    const numbers = ['activation_alpha', 'activation_beta'].flatMap(
      (name) => floatAttribute(context.node, name, undefined) ?? [],
    );
    return activate(w, y, context, numbers);
  }),
};
