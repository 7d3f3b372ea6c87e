import { EspalierError } from '../errors.js';
import type { Node, StaticGraph, TensorData } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import type { StepSpec } from '../native/addon.js';
import { unaryCode } from '../native/codes.js';
import type { LayerAnalysis } from '../sparse/analyze.js';
import type { FormatChoice } from '../sparse/format.js';
import type { WeightFormat, WeightStorage } from '../sparse/weight_formats.js';
import type { DataType } from '../tensor.js';
import type { FusedNode } from './fuse.js';
import type { LayerStep } from './lower/weights.js';
import { freeName } from './uses.js';

/** A value as one step sees it: its bytes may be read under other dims than the value has. */
export interface Operand {
  readonly value: string;
  readonly dims: readonly number[];
}

/** A {@link StepSpec} before its tensors have places. */
export interface StepDraft extends Omit<StepSpec, 'inputs' | 'outputs'> {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

export interface ValueType {
  readonly type: DataType;
  readonly dims: readonly number[];
}

/** One weight matrix inside a constant; see `NativeSession.addWeights`. */
export interface WeightMatrix {
  readonly data: TensorData;
  readonly rows: number;
  readonly cols: number;
  readonly offset: number;
  readonly rowStride: number;
  readonly colStride: number;
}

/** A layer whose weights need a format. */
export interface LayerRequest {
  readonly analysis: LayerAnalysis;
  /** Tokens that share a pass over the weights, and passes. */
  readonly n: number;
  readonly batch: number;
  readonly step: LayerStep;
  /** One for each group. */
  readonly matrices: readonly WeightMatrix[];
}

/** How a weight matrix is packed. */
export interface WeightPacking {
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  /** Filters that are transformed first, for Winograd's algorithm. Default: no. */
  readonly winograd?: boolean;
}

/** Packs weights once per session, however many plans use them. */
export interface WeightStore {
  /** What is known of a layer's weight without a look at it. */
  analysisOf?(layer: Layer, data: TensorData): LayerAnalysis | undefined;
  choose(request: LayerRequest): FormatChoice;
  pack(matrix: WeightMatrix, packing: WeightPacking): number;
}

/** How a layer runs. */
export interface LayerPlan extends Pick<LayerRequest, 'analysis' | 'n' | 'batch'> {
  /** The model's node. */
  readonly name: string;
  readonly op: string;
  readonly choice: FormatChoice;
  readonly taps: number | undefined;
  readonly winogradTiles: number | undefined;
  /** Ids of its packed weights. */
  readonly weights: readonly number[];
}

/** Collects the steps of a plan; the lowering functions in lower/ write to it. */
export class PlanBuilder {
  readonly steps: StepDraft[] = [];
  readonly values: Map<string, ValueType>;
  /** Values that are other values under new dims: name -> name. */
  readonly aliases = new Map<string, string>();
  /** Constants that the compiler made. */
  readonly constants = new Map<string, TensorData>();
  readonly layers: LayerPlan[] = [];

  constructor(
    readonly graph: StaticGraph,
    readonly weights: WeightStore,
  ) {
    this.values = new Map(graph.values);
  }

  typeOf(value: string): ValueType {
    const found = this.values.get(value);
    if (found === undefined) throw new EspalierError('ERR_ESPALIER_INTERNAL', `Value "${value}" has no type`);
    return found;
  }

  dimsOf(value: string): readonly number[] {
    return this.typeOf(value).dims;
  }

  operand(value: string, dims: readonly number[] = this.dimsOf(value)): Operand {
    return { value, dims };
  }

  /** A value of the plan's own, for what one step hands to the next. */
  temporary(type: DataType, dims: readonly number[]): string {
    const name = this.#freeName('temporary');
    this.values.set(name, { type, dims });
    return name;
  }

  /** A constant of the plan's own. */
  constant(data: TensorData): string {
    const name = this.#freeName('constant');
    this.values.set(name, { type: data.type, dims: data.dims });
    this.constants.set(name, data);
    return name;
  }

  /** A name that no value of the model or the plan has. */
  #freeName(kind: string): string {
    return freeName(`espalier/${kind}/${this.values.size}`, this.values);
  }

  /** `output` is `input` under other dims: no step. */
  alias(output: string, input: string): void {
    this.aliases.set(output, input);
  }

  emit(step: {
    op: string;
    node: Node;
    inputs: readonly Operand[];
    output?: Operand;
    outputs?: readonly Operand[];
    ints?: StepSpec['ints'];
    floats?: StepSpec['floats'];
    weights?: readonly number[];
  }): void {
    const { op, node, inputs, output, ints = {}, floats = {}, weights = [] } = step;
    const outputs = step.outputs ?? (output === undefined ? [] : [output]);
    this.steps.push({ op, name: node.name, inputs, outputs, ints, floats, weights });
  }

  /** Numbers of a fused activation as native/runtime/ops/activation.h reads them. */
  activationNumbers({ activation }: Pick<FusedNode, 'activation'>): Pick<StepDraft, 'ints' | 'floats'> {
    if (activation === undefined) return { ints: {}, floats: {} };
    return {
      ints: { activation: unaryCode(activation.op) },
      floats: { activation_alpha: activation.alpha, activation_beta: activation.beta },
    };
  }
}

/** The error for an operator form that has no kernel; the message says which part of the node it is. */
export function unsupported(node: Node, what: string): EspalierError {
  return new EspalierError(
    'ERR_ESPALIER_UNSUPPORTED',
    `Node "${node.name}" (${node.op}): ${what} is not supported`,
  );
}
