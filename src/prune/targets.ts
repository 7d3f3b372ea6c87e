import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { findLayers, isDepthwise, type Layer, layerOperators } from '../graph/layers.js';
import { nearest, parseMatcher } from '../options.js';
import { keptOfEvery, type Pattern, parsePattern } from '../sparse/patterns.js';
import { type ResolvedPruneOptions, sparsityOf } from './options.js';

/** A weight to prune: once, however many nodes share it. */
export interface PruningTarget {
  /** The first layer that uses the weight. */
  readonly layer: Layer;
  /** Every selected layer that uses it. */
  readonly nodes: readonly string[];
  readonly pattern: Pattern;
  readonly sparsity: number;
  /** Whether `sparsity` was given for this layer alone. */
  readonly ownSparsity: boolean;
}

/**
 * The weights that the options select, in node order. A depthwise convolution is selected only when `include` or
 * `layers` names it, for its few weights are the ones a network can least do without.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when a name matches nothing, nothing is selected, or nodes that share a weight disagree.
 */
export function selectTargets(graph: Graph, options: ResolvedPruneOptions): PruningTarget[] {
  const layers = findLayers(graph);
  if (layers.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a graph with layers to prune, got "${graph.name}" without a ${layerOperators.join(', ')} of constant weight`,
    );
  }
  checkMatches(layers, options);
  const selected = layers.filter((layer) => isSelected(graph, layer, options));
  if (selected.length === 0) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      'Expected planPruning options.include, exclude and operators to select a layer, got none (a depthwise ' +
        `convolution only counts when it is named); the layers are ${listLayers(layers)}`,
    );
  }
  for (const name of Object.keys(options.layers)) {
    if (!selected.some((layer) => matches(layer, parseMatcher(name)))) fail('layers', name, selected);
  }
  const targets = new Map<string, PruningTarget>();
  for (const layer of selected) {
    const target = targetOf(layer, options);
    const shared = targets.get(layer.weight);
    if (shared !== undefined) checkShared(shared, target);
    targets.set(
      layer.weight,
      shared === undefined ? target : { ...shared, nodes: [...shared.nodes, layer.name] },
    );
  }
  return [...targets.values()];
}

function isSelected(
  graph: Graph,
  layer: Layer,
  { include, exclude, operators, layers }: ResolvedPruneOptions,
): boolean {
  if (operators !== undefined && !operators.includes(layer.op)) return false;
  if (include !== undefined && !include.some((matcher) => matches(layer, matcher))) return false;
  if (exclude.some((matcher) => matches(layer, matcher))) return false;
  const matchers = [...(include ?? []), ...Object.keys(layers).map(parseMatcher)];
  const named = matchers.some((matcher) => matchesName(layer, matcher));
  return named || !isDepthwise(graph, layer);
}

function targetOf(layer: Layer, { layers, sparsity, pattern }: ResolvedPruneOptions): PruningTarget {
  const isPattern = (key: string) => key.startsWith('re:') && matchesName(layer, parseMatcher(key));
  const keys = [layer.name, ...Object.keys(layers).filter(isPattern), layer.op];
  const [key = layer.op, ...others] = keys.filter((known) => Object.hasOwn(layers, known));
  const entries = [key, ...others].map((known) => (Object.hasOwn(layers, known) ? layers[known] : undefined));
  const own = entries.find((entry) => entry?.sparsity !== undefined)?.sparsity;
  const ownPattern = entries.find((entry) => entry?.pattern !== undefined)?.pattern;
  const chosen = ownPattern === undefined ? pattern : parsePattern(ownPattern);
  const where = `planPruning options.layers.${key}`;
  // A pattern of its own that says its sparsity does not contradict the sparsity of all others.
  const inherited = keptOfEvery(chosen) === undefined ? sparsity : undefined;
  return {
    layer,
    nodes: [layer.name],
    pattern: chosen,
    sparsity: sparsityOf(chosen, own ?? inherited, where),
    ownSparsity: own !== undefined,
  };
}

function matches(layer: Layer, matcher: string | RegExp): boolean {
  return matcher === layer.op || matchesName(layer, matcher);
}

function matchesName(layer: Layer, matcher: string | RegExp): boolean {
  // search() ignores lastIndex, which test() would carry from one layer to the next for a global RegExp.
  return typeof matcher === 'string' ? matcher === layer.name : layer.name.search(matcher) >= 0;
}

function checkMatches(layers: readonly Layer[], { include, exclude, operators }: ResolvedPruneOptions): void {
  for (const operator of operators ?? []) {
    if (!layers.some((layer) => layer.op === operator)) fail('operators', operator, layers);
  }
  for (const [option, matchers] of [
    ['include', include ?? []],
    ['exclude', exclude],
  ] as const) {
    for (const matcher of matchers) {
      if (!layers.some((layer) => matches(layer, matcher))) fail(option, matcher, layers);
    }
  }
}

function fail(option: string, matcher: string | RegExp, layers: readonly Layer[]): never {
  const names = option === 'operators' ? [] : layers.map((layer) => layer.name);
  const known = [...new Set([...names, ...layers.map((layer) => layer.op)])];
  const hint = typeof matcher === 'string' && known.length > 0 ? nearest(matcher, known) : '';
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected every entry of planPruning options.${option} to match a layer, got ` +
      `${typeof matcher === 'string' ? JSON.stringify(matcher) : String(matcher)}` +
      `${hint.startsWith('did') ? ` (${hint})` : ''}; the layers are ${listLayers(layers)}`,
  );
}

function listLayers(layers: readonly Layer[]): string {
  const shown = layers.slice(0, 50).map((layer) => `"${layer.name}" (${layer.op})`);
  if (layers.length > shown.length) shown.push(`${layers.length - shown.length} more`);
  return shown.join(', ') || 'none';
}

function checkShared(first: PruningTarget, second: PruningTarget): void {
  const fields = ['groups', 'outputs', 'inputs', 'outputStride', 'inputStride'] as const;
  const sameMatrix = fields.every((field) => first.layer[field] === second.layer[field]);
  if (sameMatrix && first.pattern === second.pattern && first.sparsity === second.sparsity) return;
  const asked = sameMatrix ? 'ask for different sparsity or pattern' : 'read it as different matrices';
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected nodes that share weight "${first.layer.weight}" to agree, but "${first.layer.name}" and ` +
      `"${second.layer.name}" ${asked}; exclude one of them to give it a copy of its own`,
  );
}
