// The node tests of the ONNX project as Debian packages them (libonnx-testdata): a model of one operator, its inputs
// and outputs. Runs one in espalier and says how that went.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const folder = '/usr/share/libonnx-testdata/data/node';

const { importOnnx, exportOnnx } = await import('../../dist/formats/onnx/index.js');
const { modelType } = await import('../../dist/formats/onnx/schema.js');
const { readTensor } = await import('../../dist/formats/onnx/tensors.js');
const { readElements } = await import('../../dist/graph/data.js');
const { InferenceSession, Tensor } = await import('../../dist/index.js');
const { bytesPerElement, typedArrayOf } = await import('../../dist/tensor.js');

/** Largest difference over the largest value that passes: the tests state float32 sums, whose order is not ours. */
const tolerance = 1e-5;

/** What a test gives that passes by the tolerance of ONNX's own runner (1e-3 relative, 1e-7 absolute), not by ours. */
export const rough = 'only within the tolerance of the ONNX runner';

export const caseNames = () => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** Operators that no test of inference is about, by why. */
const leftOut = [
  ['strings', /^(StringNormalizer|TfIdfVectorizer)$/],
  ['sequences', /Sequence(?<!ReverseSequence)/],
  ['optionals', /^Optional/],
  ['random numbers', /^(Bernoulli|Multinomial|Random.*)$/],
  ['training', /^(NegativeLogLikelihoodLoss|SoftmaxCrossEntropyLoss)$/],
];

/** Why a test does not count: it is about something other than inference on tensors. @param {any} model */
export function reasonLeftOut(model) {
  const nodes = allNodes(model.graph);
  if (nodes.some(({ domain = '' }) => domain.includes('training'))) return 'training';
  for (const [reason, pattern] of leftOut) {
    if (nodes.some(({ op_type: op }) => pattern.test(op ?? ''))) return reason;
  }
  const training = nodes.some(
    (node) =>
      (node.op_type === 'BatchNormalization' && attribute(node, 'training_mode') > 0) ||
      (node.op_type === 'Dropout' && (node.input?.[2] ?? '') !== ''),
  );
  if (training) return 'training';
  const values = [...(model.graph.input ?? []), ...(model.graph.output ?? [])];
  if (values.some(({ type }) => type?.tensor_type == null)) return 'sequences';
  return values.some(({ type }) => type.tensor_type.elem_type === 8) ? 'strings' : undefined;
}

function allNodes(graph) {
  return (graph.node ?? []).flatMap((node) => [
    node,
    ...(node.attribute ?? []).flatMap(({ g }) => (g ? allNodes(g) : [])),
  ]);
}

const attribute = (node, name) => Number(node.attribute?.find((one) => one.name === name)?.i ?? 0);

export const readModel = (name) => modelType.decode(readFileSync(join(folder, name, 'model.onnx')));

const tensorType = modelType.root.lookupType('TensorProto');

function readTensors(name, role, values) {
  return new Map(
    values.map((value, i) => {
      const bytes = readFileSync(join(folder, name, 'test_data_set_0', `${role}_${i}.pb`));
      const tensor = readTensor(tensorType.decode(bytes), `${role}_${i}`);
      // Version 1.12 stores bfloat16 under the type of its bits.
      const isBfloat = value.type === 'bfloat16' && tensor.type === 'uint16';
      return [value.name, isBfloat ? { ...tensor, type: 'bfloat16' } : tensor];
    }),
  );
}

/** undefined when the test passes, `rough`, or why it does not. @param {string} name */
export async function runCase(name) {
  try {
    const graph = importOnnx(readFileSync(join(folder, name, 'model.onnx')));
    const inputs = readTensors(name, 'input', graph.inputs);
    const outputs = readTensors(name, 'output', graph.outputs);
    const session = await InferenceSession.create(exportOnnx(graph), { threads: 1 });
    try {
      const feeds = graph.inputs.map(({ name: input }) => [input, toTensor(inputs.get(input))]);
      const results = session.runSync(Object.fromEntries(feeds));
      return [...outputs].map(([output, expected]) => difference(results[output], expected)).find(Boolean);
    } finally {
      session.release();
    }
  } catch (error) {
    return error.message.replaceAll('\n', ' ');
  }
}

function toTensor({ type, dims, bytes }) {
  const copy = Uint8Array.from(bytes).buffer;
  return new Tensor(type, new typedArrayOf[type](copy, 0, copy.byteLength / bytesPerElement[type]), dims);
}

function difference({ type, dims, data }, expected) {
  if (type !== expected.type) return `gives ${type} where ${expected.type} is stated`;
  if (dims.join() !== expected.dims.join()) return `gives dims [${dims}] where [${expected.dims}] are stated`;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const [actual, wanted] = [readElements({ type, dims, bytes }), readElements(expected)];
  let [largest, worst, isAccepted] = [1e-30, 0, true];
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [actual[i], wanted[i]];
    if (Object.is(a, b) || a === b) continue;
    if (typeof a === 'bigint') return `gives ${a} where ${b} is stated`;
    const distance = Number.isNaN(a - b) ? Infinity : Math.abs(a - b);
    worst = Math.max(worst, distance);
    isAccepted &&= distance <= 1e-7 + 1e-3 * Math.abs(b);
  }
  for (const value of wanted) {
    if (typeof value === 'number' && Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  }
  if (worst / largest <= tolerance) return undefined;
  return isAccepted ? rough : `differs by ${(worst / largest).toPrecision(1)}`;
}
