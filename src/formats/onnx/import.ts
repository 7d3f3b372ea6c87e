import { EspalierError } from '../../errors.js';
import type { Attribute, Dim, Graph, Node, TensorData, ValueInfo } from '../../graph/graph.js';
import { sortGraph } from '../../graph/order.js';
import { readWhole } from '../read_file.js';
import { UnpackedMemory } from '../unpacked_memory.js';
import { readAttribute } from './attributes.js';
import { readConstantNode } from './constant_nodes.js';
import { decodeModel } from './decode.js';
import { externalFiles } from './external.js';
import { expandFunctions } from './functions.js';
import {
  keepGraphFields,
  keepModelFields,
  keepNodeFields,
  keepTensorFields,
  keepValueFields,
} from './metadata.js';
import type { DimensionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from './schema.js';
import {
  locationOf,
  type ResolveExternal,
  readSparseTensor,
  readTensor,
  readType,
  readTypeAndDims,
} from './tensors.js';
import { canonicalDomain, toBigInt } from './wire.js';

export interface ImportOptions {
  /** What messages call the model; a path reads well. */
  readonly name?: string;
  /** Gives the bytes of an external data file, by the location the model names. */
  readonly resolveExternal?: ResolveExternal;
  /**
   * Gives a constant whose bytes are not in the model, by its name and the location that the model names for them. It
   * is asked before `resolveExternal`.
   */
  readonly resolveConstant?: ResolveConstant;
}

export type ResolveConstant = (
  name: string,
  tensor: Pick<TensorData, 'type' | 'dims'>,
  location: string,
) => TensorData | undefined;

/**
 * The graph of an ONNX model. Weights are not copied: `bytes` must not change while the graph is in use.
 * @throws EspalierError ERR_ESPALIER_MODEL when the bytes are not a valid model, ERR_ESPALIER_UNSUPPORTED when they
 *   are but hold something a Graph cannot (strings, sequences, quantized sub-byte types)
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): Graph {
  const name = options.name ?? 'the model';
  const model = decodeModel(bytes, name);
  const opsets = new Map<string, number>();
  for (const { domain = '', version } of model.opset_import ?? []) {
    opsets.set(canonicalDomain(domain), Number(toBigInt(version)));
  }
  if (opsets.size === 0)
    throw new EspalierError('ERR_ESPALIER_MODEL', `Expected ${name} to import an opset, got none`);
  const importer = new GraphImporter(opsets, new UnpackedMemory(bytes.length), options);
  try {
    const graph = importer.read(expandFunctions(model, opsets));
    const metadata = { ...graph.metadata };
    keepModelFields(metadata, model);
    return sortGraph({ ...graph, metadata });
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    throw new EspalierError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

/**
 * Reads an ONNX model and the external data files beside it.
 * @throws EspalierError ERR_ESPALIER_FILE for files that cannot be read, else as {@link importOnnx}
 */
export async function readOnnx(file: string): Promise<Graph> {
  return importOnnxBeside(await readWhole(file, 'model'), file);
}

/** {@link readOnnx} of a file's bytes. */
export function importOnnxBeside(bytes: Uint8Array, file: string): Graph {
  return importOnnx(bytes, { name: file, resolveExternal: externalFiles(file) });
}

/** Reads a graph and, through its attributes, the graphs inside it. */
class GraphImporter {
  readonly #opsets: ReadonlyMap<string, number>;
  readonly #resolveExternal: ResolveExternal | undefined;
  readonly #resolveConstant: ResolveConstant | undefined;
  readonly #memory: UnpackedMemory;

  constructor(
    opsets: ReadonlyMap<string, number>,
    memory: UnpackedMemory,
    { resolveExternal, resolveConstant }: ImportOptions,
  ) {
    this.#opsets = opsets;
    this.#memory = memory;
    this.#resolveExternal = resolveExternal;
    this.#resolveConstant = resolveConstant;
  }

  /** @param isInner whether types of inputs and outputs may be left out */
  read(proto: GraphProto, isInner = false): Graph {
    const metadata: Record<string, string> = {};
    keepGraphFields(metadata, proto);
    const constants = this.#readInitializers(proto, metadata);
    const inputs = (proto.input ?? [])
      .filter(({ name = '' }) => !constants.has(name))
      .map((input) => readValueInfo(input, 'input', metadata, isInner));
    const strings = new Set<string>();
    const nodes: Node[] = [];
    const names = new UniqueNames((proto.node ?? []).map(({ name = '' }) => name));
    for (const nodeProto of proto.node ?? []) {
      const name = names.next(nodeProto);
      if (nodeProto.op_type === 'Constant' && canonicalDomain(nodeProto.domain ?? '') === '') {
        const value = readConstantNode(nodeProto, name, this.#memory, this.#resolveExternal);
        const output = nodeProto.output?.[0] ?? '';
        if (value === 'strings') strings.add(output);
        else define(constants, output, value);
      } else {
        nodes.push(this.#readNode(nodeProto, name));
        keepNodeFields(metadata, nodeProto, name);
      }
    }
    const outputs = (proto.output ?? []).map((output) => readValueInfo(output, 'output', metadata, isInner));
    refuseStrings(strings, nodes, outputs);
    return { name: proto.name ?? '', inputs, outputs, nodes, constants, opsets: this.#opsets, metadata };
  }

  #readInitializers(proto: GraphProto, metadata: Record<string, string>): Map<string, TensorData> {
    const constants = new Map<string, TensorData>();
    for (const tensor of proto.initializer ?? []) {
      const name = tensor.name ?? '';
      define(constants, name, this.#readInitializer(tensor, name));
      keepTensorFields(metadata, tensor);
    }
    for (const sparse of proto.sparse_initializer ?? []) {
      const name = sparse.values?.name ?? '';
      const what = `sparse initializer ${JSON.stringify(name)}`;
      define(constants, name, readSparseTensor(sparse, what, this.#memory, this.#resolveExternal));
    }
    return constants;
  }

  #readInitializer(tensor: TensorProto, name: string): TensorData {
    const what = `initializer ${JSON.stringify(name)}`;
    const location = locationOf(tensor);
    const resolved =
      location === undefined || this.#resolveConstant === undefined
        ? undefined
        : this.#resolveConstant(name, readTypeAndDims(tensor, what), location);
    return resolved ?? readTensor(tensor, what, this.#resolveExternal);
  }

  #readNode(proto: NodeProto, name: string): Node {
    const attributes = new Map<string, Attribute>();
    for (const attribute of proto.attribute ?? []) {
      const key = attribute.name ?? '';
      if (attributes.has(key)) throw invalid(`Expected node ${name} to have one attribute ${key}, got two`);
      attributes.set(
        key,
        readAttribute(attribute, name, (graph) => this.read(graph, true), this.#resolveExternal),
      );
    }
    if (!proto.op_type) throw invalid(`Expected node ${name} to have an op_type, got none`);
    return {
      name,
      op: proto.op_type,
      domain: canonicalDomain(proto.domain ?? ''),
      inputs: proto.input ?? [],
      outputs: proto.output ?? [],
      attributes,
    };
  }
}

/** Gives every node a name of its own: the model's where it is unique, else one made of operator and position. */
class UniqueNames {
  readonly #given: ReadonlySet<string>;
  readonly #taken = new Set<string>();
  #position = 0;

  constructor(given: readonly string[]) {
    this.#given = new Set(given);
  }

  next({ name = '', op_type = '' }: NodeProto): string {
    const position = this.#position++;
    let unique = name;
    if (name === '' || this.#taken.has(name)) {
      unique = `${name || op_type}_${position}`;
      while (this.#given.has(unique) || this.#taken.has(unique)) unique += '_';
    }
    this.#taken.add(unique);
    return unique;
  }
}

function define(constants: Map<string, TensorData>, name: string, value: TensorData): void {
  if (name === '') throw invalid('Expected every constant to have a name, got an empty one');
  if (constants.has(name)) throw invalid(`Expected one constant ${JSON.stringify(name)}, got two`);
  constants.set(name, value);
}

function readValueInfo(
  proto: ValueInfoProto,
  role: string,
  metadata: Record<string, string>,
  isInner: boolean,
): ValueInfo {
  const name = proto.name ?? '';
  const what = `${role} ${JSON.stringify(name)}`;
  const tensor = proto.type?.tensor_type;
  if (isInner && !tensor?.elem_type) {
    keepValueFields(metadata, proto);
    return { name, type: 'float32', dims: undefined, undeclared: true };
  }
  if (tensor == null) {
    throw new EspalierError('ERR_ESPALIER_UNSUPPORTED', `Expected ${what} to be declared as a tensor`);
  }
  keepValueFields(metadata, proto);
  const type = readType(tensor.elem_type ?? 0, what);
  return { name, type, dims: tensor.shape == null ? undefined : (tensor.shape.dim ?? []).map(readDim) };
}

/** Exporters write unknown dims as nothing, as a name, and as -1. */
function readDim(dim: DimensionProto): Dim {
  if (!Object.hasOwn(dim, 'dim_value')) return dim.dim_param ?? '';
  const value = Number(toBigInt(dim.dim_value));
  return Number.isSafeInteger(value) && value >= 0 ? value : '';
}

/** String constants are only wrong where something uses them. */
function refuseStrings(
  strings: ReadonlySet<string>,
  nodes: readonly Node[],
  outputs: readonly ValueInfo[],
): void {
  if (strings.size === 0) return;
  const user = nodes.find((node) => node.inputs.some((input) => strings.has(input)));
  const output = outputs.find(({ name }) => strings.has(name));
  const where = user ? `node ${user.name}` : output && `output ${output.name}`;
  if (where)
    throw new EspalierError('ERR_ESPALIER_UNSUPPORTED', `Expected no string tensors, got one at ${where}`);
}

function invalid(message: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', message);
}
