import { EspalierError } from '../../errors.js';
import type { Dim, Graph, Node, TensorData, ValueInfo } from '../../graph/graph.js';
import { codeOfType } from '../../graph/type_codes.js';
import { writeAttribute } from './attributes.js';
import { extrasOf, fromBase64List, modelFields } from './metadata.js';
import {
  type DimensionProto,
  type GraphProto,
  type ModelProto,
  modelType,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './schema.js';
import { fromBigInt, toBigInt } from './wire.js';

/** Protobuf's own limit on the size of a message. */
const largestModelBytes = 2 ** 31 - 1;

/** IR version of graphs that were not imported: the first one that knows opset 21 (ONNX 1.16). */
const defaultIrVersion = 10n;

/** Up to this IR version every initializer had to be an input of the graph too. */
const lastVersionWithInitializersAsInputs = 3n;

/**
 * The bytes of an ONNX model with the graph's own opsets; constants become initializers. Importing them gives an
 * equal graph.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED when the model would pass the 2 GiB that protobuf allows
 */
export function exportOnnx(graph: Graph): Uint8Array {
  const fields = modelFields(graph);
  const irVersion = fields.ir_version === undefined ? defaultIrVersion : toBigInt(fields.ir_version);
  const model: ModelProto = {
    ...fields,
    ir_version: fromBigInt(irVersion),
    opset_import: [...graph.opsets].map(([domain, version]) => ({
      domain,
      version: fromBigInt(BigInt(version)),
    })),
    graph: writeGraph(graph, irVersion <= lastVersionWithInitializersAsInputs),
  };
  const weightBytes = countConstantBytes(graph);
  if (weightBytes > largestModelBytes) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected at most ${largestModelBytes} bytes of constants in an ONNX file, got ${weightBytes}`,
    );
  }
  return modelType.encode(model).finish();
}

function countConstantBytes(graph: Graph): number {
  let sum = 0;
  for (const { bytes } of graph.constants.values()) sum += bytes.byteLength;
  return sum;
}

function writeGraph(graph: Graph, constantsAreInputs: boolean): GraphProto {
  const { quantization_annotation: annotations, ...extras } = extrasOf(graph, 'graph');
  const constants = [...graph.constants];
  const inputs = constantsAreInputs
    ? [...graph.inputs, ...constants.map(([name, { type, dims }]) => ({ name, type, dims }))]
    : graph.inputs;
  return {
    ...extras,
    ...(annotations && { quantization_annotation: fromBase64List(annotations) }),
    name: graph.name,
    node: graph.nodes.map((node) => writeNode(graph, node, constantsAreInputs)),
    initializer: constants.map(([name, data]) => ({
      ...extrasOf(graph, 'tensor', name),
      name,
      ...writeTensor(data),
    })),
    input: inputs.map((value) => writeValueInfo(graph, value)),
    output: graph.outputs.map((value) => writeValueInfo(graph, value)),
  };
}

function writeNode(graph: Graph, node: Node, constantsAreInputs: boolean): NodeProto {
  return {
    ...extrasOf(graph, 'node', node.name),
    name: node.name,
    op_type: node.op,
    ...(node.domain !== '' && { domain: node.domain }),
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: [...node.attributes].map(([name, attribute]) =>
      writeAttribute(name, attribute, {
        tensor: writeTensor,
        graph: (inner) => writeGraph(inner, constantsAreInputs),
      }),
    ),
  };
}

function writeTensor({ type, dims, bytes }: TensorData): TensorProto {
  return { dims: dims.map((dim) => fromBigInt(BigInt(dim))), data_type: codeOfType[type], raw_data: bytes };
}

function writeValueInfo(graph: Graph, { name, type, dims, undeclared }: ValueInfo): ValueInfoProto {
  const { denotation, dim_denotations: denotations, ...extras } = extrasOf(graph, 'value', name);
  if (undeclared) return { ...extras, name };
  const shape = dims && { dim: dims.map((dim, axis) => writeDim(dim, denotations?.[axis])) };
  return {
    ...extras,
    name,
    type: {
      tensor_type: { elem_type: codeOfType[type], ...(shape && { shape }) },
      ...(denotation && { denotation }),
    },
  };
}

function writeDim(dim: Dim, denotation: string | undefined): DimensionProto {
  return {
    ...(typeof dim === 'number' && { dim_value: fromBigInt(BigInt(dim)) }),
    ...(typeof dim === 'string' && dim !== '' && { dim_param: dim }),
    ...(denotation && { denotation }),
  };
}
