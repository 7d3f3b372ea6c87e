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
  type SparseTensorProto,
  type TensorProto,
  type ValueInfoProto,
} from './schema.js';
import { sparseIrVersion, writeSparseTensor } from './sparse.js';
import { externalLocation, fromBigInt, toBigInt } from './wire.js';

/** Protobuf's own limit on the size of a message. */
const largestModelBytes = 2 ** 31 - 1;

/** IR version of graphs that were not imported: the first one that knows opset 21 (ONNX 1.16). */
const defaultIrVersion = 10n;

/** Up to this IR version every initializer had to be an input of the graph too. */
const lastVersionWithInitializersAsInputs = 3n;

/** Bytes [offset, offset + length) of a file beside the model. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset?: number;
  readonly length?: number;
}

export interface ExportOptions {
  /** Says of a constant where its bytes lie when they are not to be in the model. Whoever says so writes them there. */
  readonly external?: (name: string, data: TensorData) => ExternalPlace | undefined;
  /**
   * Whether float32 constants are written as their values that are not zero and the positions of these, where that is
   * smaller: from two thirds of zeros on. Runtimes make them dense again when they load the model. Default: no.
   */
  readonly sparseInitializers?: boolean;
}

/**
 * The bytes of an ONNX model with the graph's own opsets; constants become initializers. Importing them gives an
 * equal graph.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED when the model would pass the 2 GiB that protobuf allows
 */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  const fields = modelFields(graph);
  const given = fields.ir_version === undefined ? defaultIrVersion : toBigInt(fields.ir_version);
  const proto = writeGraph(graph, given <= lastVersionWithInitializersAsInputs, options);
  const hasSparse = (proto.sparse_initializer ?? []).length > 0;
  const model: ModelProto = {
    ...fields,
    ir_version: fromBigInt(hasSparse && given < sparseIrVersion ? sparseIrVersion : given),
    opset_import: [...graph.opsets].map(([domain, version]) => ({
      domain,
      version: fromBigInt(BigInt(version)),
    })),
    graph: proto,
  };
  const weightBytes = constantBytes(proto);
  if (weightBytes > largestModelBytes) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected at most ${largestModelBytes} bytes of constants in an ONNX file, got ${weightBytes}: ` +
        'exportOnnxSplit writes them to a second file',
    );
  }
  return modelType.encode(model).finish();
}

function constantBytes({ initializer = [], sparse_initializer: sparse = [] }: GraphProto): number {
  const tensors = [...initializer, ...sparse.flatMap(({ values = {}, indices = {} }) => [values, indices])];
  return tensors.reduce((sum, { raw_data }) => sum + (raw_data?.byteLength ?? 0), 0);
}

function writeGraph(graph: Graph, constantsAreInputs: boolean, options: ExportOptions): GraphProto {
  const { quantization_annotation: annotations, ...extras } = extrasOf(graph, 'graph');
  const initializer: TensorProto[] = [];
  const sparse: SparseTensorProto[] = [];
  for (const [name, data] of graph.constants) {
    const written = options.sparseInitializers === true ? writeSparseTensor(name, data) : undefined;
    if (written !== undefined) {
      sparse.push(written);
      continue;
    }
    const place = options.external?.(name, data);
    initializer.push({ ...extrasOf(graph, 'tensor', name), name, ...writeConstant(data, place) });
  }
  const inputs = constantsAreInputs
    ? [...graph.inputs, ...initializer.map((tensor) => inputOf(graph, tensor.name ?? ''))]
    : graph.inputs;
  return {
    ...extras,
    ...(annotations && { quantization_annotation: fromBase64List(annotations) }),
    name: graph.name,
    node: graph.nodes.map((node) => writeNode(graph, node, constantsAreInputs)),
    initializer,
    ...(sparse.length > 0 && { sparse_initializer: sparse }),
    input: inputs.map((value) => writeValueInfo(graph, value)),
    output: graph.outputs.map((value) => writeValueInfo(graph, value)),
  };
}

function inputOf({ constants }: Graph, name: string): ValueInfo {
  const { type, dims } = constants.get(name) as TensorData;
  return { name, type, dims };
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
        graph: (inner) => writeGraph(inner, constantsAreInputs, {}),
      }),
    ),
  };
}

function writeTensor(data: TensorData): TensorProto {
  return { ...writeShape(data), raw_data: data.bytes };
}

function writeShape({ type, dims }: Pick<TensorData, 'type' | 'dims'>): TensorProto {
  return { dims: dims.map((dim) => fromBigInt(BigInt(dim))), data_type: codeOfType[type] };
}

function writeConstant(data: TensorData, place: ExternalPlace | undefined): TensorProto {
  if (place === undefined) return writeTensor(data);
  const fields = Object.entries(place).map(([key, value]) => ({ key, value: String(value) }));
  return { ...writeShape(data), external_data: fields, data_location: externalLocation };
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
