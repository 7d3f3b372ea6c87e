import type { Graph } from '../../graph/graph.js';
import type {
  GraphProto,
  ModelProto,
  NodeProto,
  StringEntryProto,
  TensorProto,
  ValueInfoProto,
} from './schema.js';
import { fromBigInt, toBigInt } from './wire.js';

/**
 * What a model says beyond its computation lives in `Graph.metadata`, so that it survives import and export:
 *
 * | key | value |
 * |---|---|
 * | `onnx.ir_version`, `onnx.model_version` | decimal |
 * | `onnx.producer_name`, `onnx.producer_version`, `onnx.domain`, `onnx.doc_string` | text |
 * | `onnx.metadata_props:KEY` | text |
 * | `onnx.functions`, `onnx.training_info` | JSON list of base64 messages |
 * | `onnx.graph` | JSON {@link Extras} of the graph |
 * | `onnx.node:NAME`, `onnx.tensor:NAME`, `onnx.value:NAME` | JSON {@link Extras} of that node, constant, input or output |
 */
interface Extras {
  doc_string?: string;
  metadata_props?: StringEntryProto[];
  overload?: string;
  denotation?: string;
  /** Denotation of each dim; '' for none. */
  dim_denotations?: string[];
  /** Base64 TensorAnnotation messages. */
  quantization_annotation?: string[];
}

type Metadata = Record<string, string>;
const textFields = ['producer_name', 'producer_version', 'domain', 'doc_string'] as const;
const versionFields = ['ir_version', 'model_version'] as const;
const messageFields = ['functions', 'training_info'] as const;
const propertyPrefix = 'onnx.metadata_props:';

export function keepModelFields(metadata: Metadata, model: ModelProto): void {
  for (const field of textFields) {
    if (Object.hasOwn(model, field)) metadata[`onnx.${field}`] = model[field] ?? '';
  }
  for (const field of versionFields) {
    if (Object.hasOwn(model, field)) metadata[`onnx.${field}`] = String(toBigInt(model[field]));
  }
  for (const field of messageFields) {
    const messages = model[field] ?? [];
    if (messages.length > 0) metadata[`onnx.${field}`] = JSON.stringify(messages.map(toBase64));
  }
  for (const { key = '', value = '' } of model.metadata_props ?? []) metadata[propertyPrefix + key] = value;
}

/** The fields of a ModelProto that metadata holds; espalier's defaults for a graph that was not imported. */
export function modelFields({ metadata }: Graph): ModelProto {
  const model: ModelProto = {};
  for (const field of textFields) {
    const value = metadata[`onnx.${field}`];
    if (value !== undefined) model[field] = value;
  }
  for (const field of versionFields) {
    const value = metadata[`onnx.${field}`];
    if (value !== undefined) model[field] = fromBigInt(BigInt(value));
  }
  for (const field of messageFields) {
    const value = metadata[`onnx.${field}`];
    if (value !== undefined) model[field] = fromBase64List(JSON.parse(value));
  }
  model.metadata_props = Object.entries(metadata)
    .filter(([key]) => key.startsWith(propertyPrefix))
    .map(([key, value]) => ({ key: key.slice(propertyPrefix.length), value }));
  return model;
}

export function keepGraphFields(metadata: Metadata, proto: GraphProto): void {
  const annotations = (proto.quantization_annotation ?? []).map(toBase64);
  keep(metadata, 'onnx.graph', {
    ...described(proto),
    ...(annotations.length > 0 && { quantization_annotation: annotations }),
  });
}

export function keepNodeFields(metadata: Metadata, proto: NodeProto, name: string): void {
  keep(metadata, `onnx.node:${name}`, {
    ...described(proto),
    ...(proto.overload && { overload: proto.overload }),
  });
}

export function keepTensorFields(metadata: Metadata, proto: TensorProto): void {
  keep(metadata, `onnx.tensor:${proto.name ?? ''}`, described(proto));
}

export function keepValueFields(metadata: Metadata, proto: ValueInfoProto): void {
  const denotations = (proto.type?.tensor_type?.shape?.dim ?? []).map(({ denotation = '' }) => denotation);
  keep(metadata, `onnx.value:${proto.name ?? ''}`, {
    ...described(proto),
    ...(proto.type?.denotation && { denotation: proto.type.denotation }),
    ...(denotations.some((denotation) => denotation !== '') && { dim_denotations: denotations }),
  });
}

function described(proto: { doc_string?: string; metadata_props?: StringEntryProto[] }): Extras {
  const properties = (proto.metadata_props ?? []).map(({ key = '', value = '' }) => ({ key, value }));
  return {
    ...(proto.doc_string && { doc_string: proto.doc_string }),
    ...(properties.length > 0 && { metadata_props: properties }),
  };
}

function keep(metadata: Metadata, key: string, extras: Extras): void {
  if (Object.keys(extras).length > 0) metadata[key] = JSON.stringify(extras);
}

/** What metadata holds about the graph itself, or about one of its nodes, constants, inputs or outputs. */
export function extrasOf(graph: Graph, kind: 'graph' | 'node' | 'tensor' | 'value', name = ''): Extras {
  const value = graph.metadata[kind === 'graph' ? 'onnx.graph' : `onnx.${kind}:${name}`];
  return value === undefined ? {} : (JSON.parse(value) as Extras);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function fromBase64List(list: readonly string[]): Uint8Array[] {
  return list.map((item) => new Uint8Array(Buffer.from(item, 'base64')));
}
