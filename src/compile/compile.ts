import { EspalierError } from '../errors.js';
import { byteCount } from '../graph/data.js';
import type { Graph, Node, StaticGraph, TensorData } from '../graph/graph.js';
import { specialize } from '../graph/specialize.js';
import type { PlanSpec, TensorRef } from '../native/addon.js';
import {
  type LayerPlan,
  type Operand,
  PlanBuilder,
  unsupported,
  type ValueType,
  type WeightStore,
} from './builder.js';
import { type FusedNode, fuse } from './fuse.js';
import { findInPlace, type InPlace } from './in_place.js';
import { lowRankProduct } from './low_rank.js';
import { emitCopy } from './lower/movement.js';
import { lowerings } from './lower/registry.js';
import { planArena } from './memory.js';
import { keepPanels } from './panels.js';
import { cropUnseenTaps } from './unseen_taps.js';
import { widen } from './widen.js';

/** Where weights and constants that outlive a plan are kept: the session. */
export interface PlanStore extends WeightStore {
  /** Id of a constant that the session keeps, or undefined for one that belongs to the plan. */
  constant(data: TensorData): number | undefined;
}

/** A plan and what is known of it before it runs. */
export interface CompiledPlan {
  readonly spec: PlanSpec;
  readonly outputs: readonly (ValueType & { readonly name: string })[];
  /** How each layer with weights runs. */
  readonly layers: readonly LayerPlan[];
  /** Outputs that a caller may let lie in the memory of an input. */
  readonly inPlace: readonly InPlace[];
}

/**
 * Compiles a graph for concrete input dims: shapes and constants, fusion, kernel choice, memory.
 * @param inputDims dims of every input, by name
 * @param inputValues values of the inputs that shapes and conditions depend on, by name
 * @throws EspalierError what `specialize` throws, and ERR_ESPALIER_UNSUPPORTED for operator forms without a kernel
 */
export function compile(
  graph: Graph,
  inputDims: ReadonlyMap<string, readonly number[]>,
  store: PlanStore,
  inputValues?: ReadonlyMap<string, TensorData>,
): CompiledPlan {
  const specialized = cropUnseenTaps(widen(specialize(graph, inputDims, inputValues)));
  const fused = fuse(specialized);
  const builder = new PlanBuilder(fused.graph, store);
  lowerAll(fused.nodes, builder);
  const outputs = specialized.outputs.map(({ name }) => ({ name, ...builder.typeOf(name) }));
  const spec = place(fused.graph, builder, store);
  return { spec, outputs, layers: builder.layers, inPlace: findInPlace(spec.steps) };
}

/** Lowers every node, and reports all that cannot be lowered in one error. */
function lowerAll(nodes: readonly FusedNode[], builder: PlanBuilder): void {
  const problems: string[] = [];
  for (const fused of nodes) {
    try {
      const lower = lowerings.get(fused.node.op);
      if (lower === undefined) throw unsupported(fused.node, 'this operator with run-time inputs');
      checkTypes(fused.node, builder);
      lower(fused, builder);
    } catch (error) {
      if (!(error instanceof EspalierError) || error.code !== 'ERR_ESPALIER_UNSUPPORTED') throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new EspalierError('ERR_ESPALIER_UNSUPPORTED', problems.join('; '));
}

/** Operators whose kernels take float32 for every input. */
const float32Operators = new Set([
  ...['Conv', 'ConvTranspose', 'Gemm', 'BatchNormalization', 'LayerNormalization', lowRankProduct],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'Softmax', 'LogSoftmax'],
]);

function checkTypes(node: Node, builder: PlanBuilder): void {
  if (!float32Operators.has(node.op)) return;
  for (const input of node.inputs) {
    if (input === '' || builder.typeOf(input).type === 'float32') continue;
    throw unsupported(node, `input "${input}" of type ${builder.typeOf(input).type}`);
  }
}

/** Gives every tensor its place: inputs and outputs in the caller's arrays, constants, the rest in the arena. */
function place(graph: StaticGraph, builder: PlanBuilder, store: PlanStore): PlanSpec {
  const rootOf = (value: string): string => {
    let root = value;
    for (let next = builder.aliases.get(root); next !== undefined; next = builder.aliases.get(root))
      root = next;
    return root;
  };
  const constantOf = (value: string) => builder.constants.get(value) ?? graph.constants.get(value);
  const inputs = new Map(graph.inputs.map(({ name }, index) => [name, index]));
  const outputs = new Map<string, number>(); // root of a value that a step computes right into an output
  graph.outputs.forEach(({ name }, index) => {
    const root = rootOf(name);
    if (!inputs.has(root) && constantOf(root) === undefined && !outputs.has(root)) {
      outputs.set(root, index);
      return;
    }
    // An input, a constant or another output under this name too: copied at the end.
    const { type, dims } = builder.typeOf(name);
    const target = builder.temporary(type, dims);
    outputs.set(target, index);
    const count = [dims.reduce((product, dim) => product * dim, 1)];
    const node = { name, op: 'Identity', domain: '', inputs: [root], outputs: [name], attributes: new Map() };
    emitCopy(builder, node, root, target, { dims: count, xStrides: [1], yStrides: [1] });
  });

  const rooted = builder.steps.map((step) => ({
    ...step,
    inputs: step.inputs.map((operand) => ({ ...operand, value: rootOf(operand.value) })),
  }));
  const steps = keepPanels(
    rooted,
    builder,
    (value) => !inputs.has(value) && !outputs.has(value) && constantOf(value) === undefined,
  );
  const inArena = new Map(
    [...builder.values].filter(
      ([name]) => !inputs.has(name) && !outputs.has(name) && constantOf(name) === undefined,
    ),
  );
  const arena = planArena(steps, inArena);

  const planConstants: Uint8Array[] = [];
  const constantPlaces = new Map<TensorData, Pick<TensorRef, 'space' | 'index'>>();
  const placeConstant = (data: TensorData): Pick<TensorRef, 'space' | 'index'> => {
    const known = constantPlaces.get(data);
    if (known !== undefined) return known;
    const id = store.constant(data);
    const found =
      id !== undefined
        ? ({ space: 'constant', index: id } as const)
        : ({ space: 'planConstant', index: planConstants.push(data.bytes) - 1 } as const);
    constantPlaces.set(data, found);
    return found;
  };
  const refer = ({ value, dims }: Operand): TensorRef => {
    const { type } = builder.typeOf(value);
    const output = outputs.get(value);
    if (output !== undefined) return { space: 'output', index: output, offset: 0, type, dims };
    const input = inputs.get(value);
    if (input !== undefined) return { space: 'input', index: input, offset: 0, type, dims };
    const data = constantOf(value);
    if (data !== undefined) return { ...placeConstant(data), offset: 0, type, dims };
    const offset = arena.offsets.get(value);
    if (offset === undefined)
      throw new EspalierError('ERR_ESPALIER_INTERNAL', `Value "${value}" has no place`);
    return { space: 'arena', index: 0, offset, type, dims };
  };
  return {
    arenaBytes: arena.bytes,
    inputBytes: graph.inputs.map(({ name }) => byteCount(builder.typeOf(name).type, builder.dimsOf(name))),
    outputBytes: graph.outputs.map(({ name }) => byteCount(builder.typeOf(name).type, builder.dimsOf(name))),
    constants: planConstants,
    steps: steps.map((step) => ({
      ...step,
      inputs: step.inputs.map(refer),
      outputs: step.outputs.map(refer),
    })),
  };
}
