import { EspalierError } from '../../errors.js';
import type { Attribute, Graph } from '../../graph/graph.js';
import type { AttributeProto, GraphProto } from './schema.js';
import { type ResolveExternal, readTensor } from './tensors.js';
import { attributeCodes, fromBigInt, toBigInt } from './wire.js';

const kindOfCode = new Map<number, string>(
  Object.entries(attributeCodes).map(([kind, code]) => [code, kind]),
);

/** The content fields in the order they are looked for when a model of IR version 1 leaves `type` out. */
const contentKinds = [
  ['f', 'float'],
  ['i', 'int'],
  ['s', 'string'],
  ['t', 'tensor'],
  ['g', 'graph'],
  ['floats', 'floats'],
  ['ints', 'ints'],
  ['strings', 'strings'],
] as const;

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** @throws EspalierError ERR_ESPALIER_UNSUPPORTED for lists of tensors or graphs, sparse tensors and types */
export function readAttribute(
  proto: AttributeProto,
  node: string,
  readGraph: (proto: GraphProto) => Graph,
  resolveExternal: ResolveExternal | undefined,
): Attribute {
  const what = `attribute ${proto.name ?? ''} of node ${node}`;
  const kind = proto.type
    ? kindOfCode.get(proto.type)
    : contentKinds.find(([field]) => Object.hasOwn(proto, field))?.[1];
  if (kind === undefined || proto.ref_attr_name) {
    const got = proto.ref_attr_name ? 'a reference to a function attribute' : `kind ${proto.type ?? 0}`;
    throw new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to hold a value, got ${got}`);
  }
  switch (kind) {
    case 'float':
      return { kind, value: proto.f ?? 0 };
    case 'int':
      return { kind, value: toBigInt(proto.i) };
    case 'string':
      // An absent `s` is an empty array here, no Uint8Array.
      return { kind, value: text.decode(Uint8Array.from(proto.s ?? [])) };
    case 'tensor':
      return { kind, value: readTensor(proto.t ?? {}, what, resolveExternal) };
    case 'graph':
      return { kind, value: readGraph(proto.g ?? {}) };
    case 'floats':
      return { kind, value: proto.floats ?? [] };
    case 'ints':
      return { kind, value: (proto.ints ?? []).map(toBigInt) };
    case 'strings':
      return { kind, value: (proto.strings ?? []).map((value) => text.decode(value)) };
    default:
      throw new EspalierError(
        'ERR_ESPALIER_UNSUPPORTED',
        `Expected ${what} to be a simple value, got ${kind}`,
      );
  }
}

/** The inverse of {@link readAttribute}. */
export function writeAttribute(
  name: string,
  attribute: Attribute,
  write: {
    readonly tensor: (value: Extract<Attribute, { kind: 'tensor' }>['value']) => AttributeProto['t'];
    readonly graph: (value: Graph) => AttributeProto['g'];
  },
): AttributeProto {
  const type = attributeCodes[attribute.kind];
  switch (attribute.kind) {
    case 'float':
      return { name, type, f: attribute.value };
    case 'int':
      return { name, type, i: fromBigInt(attribute.value) };
    case 'string':
      return { name, type, s: utf8.encode(attribute.value) };
    case 'tensor': {
      const t = write.tensor(attribute.value);
      return t ? { name, type, t } : { name, type };
    }
    case 'graph': {
      const g = write.graph(attribute.value);
      return g ? { name, type, g } : { name, type };
    }
    case 'floats':
      return { name, type, floats: [...attribute.value] };
    case 'ints':
      return { name, type, ints: attribute.value.map(fromBigInt) };
    case 'strings':
      return { name, type, strings: attribute.value.map((value) => utf8.encode(value)) };
  }
}
