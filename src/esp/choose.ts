import type { LayerRequest, WeightMatrix } from '../compile/builder.js';
import { compile, type PlanStore } from '../compile/compile.js';
import { matricesOf } from '../compile/lower/weights.js';
import { splitGraph } from '../graph/cut.js';
import type { Graph, TensorData } from '../graph/graph.js';
import { InputValuesNeeded } from '../graph/input_values.js';
import { findLayers, isDepthwise, type Layer, layerWeights } from '../graph/layers.js';
import { UnknownValueError } from '../graph/operators/definition.js';
import { analyzeLayer, type LayerAnalysis } from '../sparse/analyze.js';
import { type ChoiceContext, chooseFormat, type FormatChoice } from '../sparse/format.js';

/** For what formats are chosen: dims of all inputs, or a number of tokens for every layer. */
export type Target =
  | { readonly shapes: ReadonlyMap<string, readonly number[]> }
  | { readonly tokens: number };

/** A layer and how it is to be packed. */
export interface ChosenLayer {
  readonly layer: Layer;
  readonly analysis: LayerAnalysis;
  readonly choice: FormatChoice;
  /** The parts of the weight that are packed, in their order. */
  readonly matrices: readonly WeightMatrix[];
}

/** With `size`, the fastest format gives way to the smallest when it takes this many times its bytes. */
const mostBytes = 1.15;

export interface ChoiceSettings extends Pick<ChoiceContext, 'isa' | 'storage'> {
  readonly prefer: 'size' | 'speed';
}

/**
 * A format for every layer but depthwise convolutions, which have no other than their own: what a session would choose
 * for these shapes, or a much smaller one, which sessions then pack again when it is much slower.
 * @throws EspalierError what {@link compile} throws
 */
export function chooseFormats(
  graph: Graph,
  target: Target,
  { prefer, ...settings }: ChoiceSettings,
): ChosenLayer[] {
  const context = { ...settings, modelWeights: layerWeights(graph) };
  const preferred = (choice: FormatChoice, analysis: LayerAnalysis) =>
    prefer === 'speed' ? choice : smallEnough(choice, analysis, context);
  const planned =
    'shapes' in target ? choicesInPlan(graph, target.shapes, context) : new Map<TensorData, Planned>();
  return findLayers(graph)
    .filter((layer) => !isDepthwise(graph, layer))
    .map((layer) => {
      const data = graph.constants.get(layer.weight) as TensorData;
      const known = planned.get(data);
      if (known !== undefined && known.analysis.op === layer.op && covers(known.matrices, layer))
        return { layer, ...known, choice: preferred(known.choice, known.analysis) };
      // Without tokens, a layer that the plan for the shapes made something else of, one of low rank for instance, or
      // one of a model that has no plan for shapes alone.
      const n = 'tokens' in target ? target.tokens : 1;
      const analysis = analyzeLayer(graph, layer);
      const choice = preferred(chooseFormat(analysis, { ...context, n, batch: 1 }), analysis);
      return { layer, analysis, choice, matrices: matricesOf(layer, data) };
    });
}

interface Planned extends Omit<ChosenLayer, 'layer' | 'matrices'> {
  readonly matrices: WeightMatrix[];
}

/** Whether the matrices are all of the layer's weight, as it reads it. */
function covers(matrices: readonly WeightMatrix[], layer: Layer): boolean {
  let start = 0;
  for (const { rows, cols, offset, rowStride, colStride } of matrices) {
    const same = cols === layer.inputs && rowStride === layer.outputStride && colStride === layer.inputStride;
    if (!same || offset !== start) return false;
    start += rows * layer.inputs;
  }
  return start === layer.groups * layer.outputs * layer.inputs;
}

/** What a plan for the shapes asks for, by weight; the first of several layers that share one decides. */
function choicesInPlan(
  graph: Graph,
  shapes: ReadonlyMap<string, readonly number[]>,
  context: Omit<ChoiceContext, 'n' | 'batch'>,
): Map<TensorData, Planned> {
  const planned = new Map<TensorData, Planned>();
  const store: PlanStore = {
    constant: () => 0,
    pack: (matrix) => {
      const known = planned.get(matrix.data);
      if (known?.matrices.every(({ offset }) => offset !== matrix.offset)) known.matrices.push(matrix);
      return 0;
    },
    choose: ({ analysis, n, batch, matrices }: LayerRequest) => {
      const choice = chooseFormat(analysis, { ...context, n, batch });
      const data = matrices[0]?.data;
      if (data !== undefined && !planned.has(data)) planned.set(data, { analysis, choice, matrices: [] });
      return choice;
    },
  };
  compileStart(graph, shapes, store);
  return planned;
}

/**
 * Compiles the graph, up to what depends on values that a run computes: the first stage of a session. Nothing where it
 * depends on values of inputs, of which there are only dims.
 */
function compileStart(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>, store: PlanStore): void {
  try {
    compile(graph, shapes, store);
  } catch (error) {
    if (error instanceof InputValuesNeeded) return;
    const parts = error instanceof UnknownValueError ? splitGraph(graph, error.value) : undefined;
    if (parts === undefined) throw error;
    const names = parts.first.inputs.map(({ name }) => name);
    compileStart(parts.first, new Map([...shapes].filter(([name]) => names.includes(name))), store);
  }
}

/** Tokens of the products whose formats are tried for their size too: one token's format for single weights is larger. */
const severalTokens = 64;

function smallEnough(
  choice: FormatChoice,
  analysis: LayerAnalysis,
  context: Omit<ChoiceContext, 'n' | 'batch'>,
): FormatChoice {
  const several = chooseFormat(analysis, { ...context, n: severalTokens, batch: 1 });
  const candidates = [...choice.candidates, ...several.candidates];
  const smallest = candidates.reduce((a, b) => (b.bytes < a.bytes ? b : a));
  const chosen = candidates.find(({ format }) => format === choice.format) ?? smallest;
  return chosen.bytes <= smallest.bytes * mostBytes ? choice : { ...choice, format: smallest.format };
}
