import { EspalierError } from '../errors.js';
import {
  choiceAttribute,
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  intValue,
  stringValue,
} from './attributes.js';
import { fromNumbers, int64List, readNumbers } from './data.js';
import type { Attribute, Node, TensorData } from './graph.js';

/** What an upgrade may ask and create. */
export interface UpgradeContext {
  /** The opset the node was written for. */
  readonly opset: number;
  /** Number of axes of a value, where known. */
  readonly rank: (value: string) => number | undefined;
  /** The value, where it is constant. */
  readonly known: (value: string) => TensorData | undefined;
  /** Whether a node or a graph output reads the value. */
  readonly isUsed: (value: string) => boolean;
  /** Adds a constant, named after the node. */
  readonly constant: (node: Node, hint: string, data: TensorData) => string;
  /** A new value or node name, made of the node's and a hint. */
  readonly fresh: (node: Node, hint: string) => string;
}

/** Nodes that do the same in the opset 21 form; a node that is in that form already comes back as it is. */
export type Upgrade = (node: Node, context: UpgradeContext) => readonly Node[];

/**
 * How to write each operator that changed its form between opset 7 and 21
 * (https://github.com/onnx/onnx/blob/main/docs/Changelog.md).
 */
export const upgrades: Readonly<Record<string, Upgrade>> = {
  Clip: (node, context) => {
    if (context.opset >= 11) return [node];
    // Absent bounds were the extremes of float32, which bound nothing but infinities.
    return [
      attributesToInputs(node, context, ['min', 'max'], (name) =>
        floatScalar(floatAttribute(node, name, undefined)),
      ),
    ];
  },
  Slice: (node, context) => {
    if (context.opset >= 10) return [node];
    return [
      attributesToInputs(node, context, ['starts', 'ends', 'axes'], (name) =>
        list(intsAttribute(node, name)),
      ),
    ];
  },
  Squeeze: axesToInput(13),
  Unsqueeze: axesToInput(13),
  ReduceSum: axesToInput(13),
  ReduceMean: axesToInput(18),
  ReduceMax: axesToInput(18),
  ReduceMin: axesToInput(18),
  ReduceProd: axesToInput(18),
  ReduceSumSquare: axesToInput(18),
  ReduceL1: axesToInput(18),
  ReduceL2: axesToInput(18),
  ReduceLogSum: axesToInput(18),
  ReduceLogSumExp: axesToInput(18),
  Hardmax: upgradeSoftmax,
  TopK: (node, context) => {
    const sorted = without(node, ['sorted']); // results in order are one of the orders that may come
    if (context.opset >= 10) return [{ ...node, attributes: sorted }];
    return [attributesToInputs(node, context, ['k'], () => list([intAttribute(node, 'k', -1)]))];
  },
  GridSample: (node) => {
    // Named for two axes before opset 20.
    const names: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };
    const mode = node.attributes.get('mode');
    const renamed = mode?.kind === 'string' ? names[mode.value] : undefined;
    return [renamed === undefined ? node : withAttributes(node, { mode: stringValue(renamed) })];
  },
  Scatter: (node) => [{ ...node, op: 'ScatterElements' }],
  Split: (node, context) => {
    const upgraded =
      context.opset >= 13
        ? node
        : attributesToInputs(node, context, ['split'], () => list(intsAttribute(node, 'split')));
    if (upgraded.inputs[1] || upgraded.attributes.has('num_outputs')) return [upgraded];
    return [withAttributes(upgraded, { num_outputs: intValue(node.outputs.length) })];
  },
  Pad: (node, context) => {
    if (context.opset >= 11) return [node];
    return [
      attributesToInputs(node, context, ['pads', 'value'], (name) =>
        name === 'pads'
          ? list(intsAttribute(node, name))
          : floatScalar(floatAttribute(node, name, undefined)),
      ),
    ];
  },
  Softmax: upgradeSoftmax,
  LogSoftmax: upgradeSoftmax,
  Upsample: (node, context) => {
    const scales = floatsAttribute(node, 'scales');
    const scaled =
      scales === undefined ? (node.inputs[1] ?? '') : context.constant(node, 'scales', floatList(scales));
    return [asymmetricResize(node, scaled)];
  },
  Resize: (node, context) => {
    if (context.opset < 11) return resizeOfOpset10(node, context);
    // Only tf_crop_and_resize reads the region of interest, though opset 11 asks for it always.
    const mode = node.attributes.get('coordinate_transformation_mode');
    const crops = mode?.kind === 'string' && mode.value === 'tf_crop_and_resize';
    return [crops ? node : { ...node, inputs: node.inputs.map((input, i) => (i === 1 ? '' : input)) }];
  },
  Dropout: (node, context) => {
    const [input = ''] = node.inputs;
    const [output = '', mask = ''] = node.outputs;
    const isRead = mask !== '' && context.isUsed(mask);
    if (isRead && context.opset < 10) throw unsupported(node, 'its mask is used');
    if (isRead || node.inputs[2]) return [node];
    return [{ ...node, op: 'Identity', inputs: [input], outputs: [output], attributes: new Map() }];
  },
  BatchNormalization: (node, context) => {
    if (intAttribute(node, 'training_mode', 0) !== 0) throw unsupported(node, 'it is in training mode');
    if (intAttribute(node, 'spatial', 1) === 0) throw unsupported(node, 'spatial is 0');
    if (node.outputs.slice(1).some((output) => output !== '' && context.isUsed(output))) {
      throw unsupported(node, 'its running statistics are used');
    }
    return [
      { ...node, outputs: node.outputs.slice(0, 1), attributes: without(node, ['spatial', 'training_mode']) },
    ];
  },
  Sum: (node, context) => {
    const [first = '', ...rest] = node.inputs;
    if (rest.length === 0) return [{ ...node, op: 'Identity' }];
    let left = first;
    return rest.map((right, i) => {
      const last = i === rest.length - 1;
      const output = last ? (node.outputs[0] ?? '') : context.fresh(node, `sum_${i}`);
      const sum = { ...node, op: 'Add', inputs: [left, right], outputs: [output] };
      left = output;
      return last ? sum : { ...sum, name: context.fresh(node, `Add_${i}`) };
    });
  },
};

/** Axes became the second input. */
function axesToInput(opset: number): Upgrade {
  return (node, context) => {
    if (context.opset >= opset) return [node];
    return [attributesToInputs(node, context, ['axes'], () => list(intsAttribute(node, 'axes')))];
  };
}

/**
 * Before opset 13, Softmax worked on the input flattened to two axes at `axis` (1 by default). On the last axis that
 * is the same as now.
 */
function upgradeSoftmax(node: Node, context: UpgradeContext): readonly Node[] {
  if (context.opset >= 13) return [node];
  const [input = ''] = node.inputs;
  const axis = intAttribute(node, 'axis', 1);
  const rank = context.rank(input);
  if (axis === -1 || axis + 1 === rank) return [withAttributes(node, { axis: intValue(-1) })];
  const [flat, soft, shape] = ['flat', 'soft', 'shape'].map((hint) => context.fresh(node, hint)) as [
    string,
    string,
    string,
  ];
  const helper = (
    op: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute> = {},
  ): Node => ({
    name: context.fresh(node, op),
    op,
    domain: '',
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  });
  return [
    helper('Flatten', [input], [flat], { axis: intValue(axis) }),
    { ...withAttributes(node, { axis: intValue(-1) }), inputs: [flat], outputs: [soft] },
    helper('Shape', [input], [shape]),
    helper('Reshape', [soft, shape], [...node.outputs], { allowzero: intValue(1) }),
  ];
}

/** Upsample and the Resize of opset 10 divide coordinates by the scale and round down. */
function asymmetricResize(node: Node, scales: string): Node {
  const mode = choiceAttribute(node, 'mode', ['nearest', 'linear', 'bilinear'], 'nearest');
  return {
    ...node,
    op: 'Resize',
    inputs: [node.inputs[0] ?? '', '', scales],
    attributes: new Map([
      ['mode', stringValue(mode === 'nearest' ? 'nearest' : 'linear')],
      ['coordinate_transformation_mode', stringValue('asymmetric')],
      ['nearest_mode', stringValue('floor')],
    ]),
  };
}

/** Axes that shrink round coordinates up, and those that grow round them down, one node for each kind. */
function resizeOfOpset10(node: Node, context: UpgradeContext): readonly Node[] {
  const [x = '', scales = ''] = node.inputs;
  const data = context.known(scales);
  const factors = data === undefined ? [] : readNumbers(data);
  const grown = asymmetricResize(node, scales);
  if (factors.every((factor) => factor >= 1)) return [grown];
  const part = (inputs: string[], output: string, rounding: string): Node => ({
    ...withAttributes(grown, { nearest_mode: stringValue(rounding) }),
    inputs,
    outputs: [output],
  });
  const [y = ''] = node.outputs;
  if (factors.every((factor) => factor <= 1)) return [part([x, '', scales], y, 'ceil')];
  const [down, up] = [Math.min, Math.max].map((of, i) =>
    context.constant(node, i === 0 ? 'down' : 'up', floatList(factors.map((factor) => of(factor, 1)))),
  ) as [string, string];
  const smaller = context.fresh(node, 'smaller');
  return [
    { ...part([x, '', down], smaller, 'ceil'), name: context.fresh(node, 'Resize') },
    part([smaller, '', up], y, 'floor'),
  ];
}

/** Turns attributes into constants that follow the first input; one the node does not have is left out. */
function attributesToInputs(
  node: Node,
  context: UpgradeContext,
  names: readonly string[],
  read: (name: string) => TensorData | undefined,
): Node {
  const added = names.map((name) => {
    const data = read(name);
    return data === undefined ? '' : context.constant(node, name, data);
  });
  return { ...node, inputs: [node.inputs[0] ?? '', ...added], attributes: without(node, names) };
}

function list(values: readonly number[] | undefined): TensorData | undefined {
  return values && int64List(values);
}

function floatList(values: readonly number[]): TensorData {
  return fromNumbers('float32', [values.length], values);
}

function floatScalar(value: number | undefined): TensorData | undefined {
  return value === undefined ? undefined : fromNumbers('float32', [], [value]);
}

function withAttributes(node: Node, attributes: Readonly<Record<string, Attribute>>): Node {
  return { ...node, attributes: new Map([...node.attributes, ...Object.entries(attributes)]) };
}

function without(node: Node, names: readonly string[]): Map<string, Attribute> {
  return new Map([...node.attributes].filter(([name]) => !names.includes(name)));
}

function unsupported(node: Node, reason: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Expected ${node.op} ${node.name} to be in its inference form, but ${reason}`,
  );
}
