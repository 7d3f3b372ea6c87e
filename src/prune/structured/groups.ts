import type { Graph } from '../../graph/graph.js';
import { type Analysis, analyze, type Shapes } from './analyze.js';
import { type Factor, findFactors } from './factors.js';
import type { Pin } from './positions.js';
import { alikeUnits } from './units.js';

/**
 * Units are attention heads, channels of convolutions, neurons (features of products alone), or the embedding: channels
 * that are normalised over, as those that the residual path of a transformer carries.
 */
export type UnitKind = 'channel' | 'neuron' | 'head' | 'embedding';

/** An axis of a constant that shrinks with the group. */
export interface GroupMember {
  /** Name of the constant. */
  readonly constant: string;
  readonly axis: number;
  /** Indices of the axis that go with each unit. */
  readonly perUnit: number;
  /** The side of its layers the axis is on: those that give the channels, that take them, or neither. */
  readonly role: 'output' | 'input' | 'other';
  /** Names of the nodes that read the constant. */
  readonly nodes: readonly string[];
}

/** An axis of any value with the indices of each unit: unit u has `indices[u * perUnit ...]`. */
export interface GroupAxis {
  readonly value: string;
  readonly axis: number;
  readonly perUnit: number;
  readonly indices: Int32Array;
}

/** Channels, heads or neurons that can each be removed, with all that goes with them, and are alike in it. */
export interface StructuredGroup {
  /** That of the first layer that gives its channels; numbered when a layer gives those of several groups. */
  readonly name: string;
  readonly kind: UnitKind;
  /** How many there are to choose from. */
  readonly units: number;
  readonly members: readonly GroupMember[];
  /** Every axis the units lie along, constants included. */
  readonly axes: readonly GroupAxis[];
  /**
   * Why no unit can be removed; undefined when any can. Units may still change places where it `moves`. Of kind
   * embedding they can be removed when asked for by name of the kind.
   */
  readonly blocked: Pin | undefined;
}

export interface GroupOptions {
  /** Dims of inputs that the model leaves open. */
  readonly shapes?: Shapes | undefined;
}

/**
 * The dependency groups of a graph, in the order of its layers: what can be removed, and what cannot and why. Groups of
 * one unit are left out, as it has to stay.
 * @throws EspalierError ERR_ESPALIER_INPUT when dims of an input are open and not given, ERR_ESPALIER_UNSUPPORTED for
 *   operators that espalier does not know, and the others of `specialize`
 */
export function findGroups(graph: Graph, { shapes = {} }: GroupOptions = {}): StructuredGroup[] {
  return groupsOf(analyze(graph, shapes));
}

export function groupsOf({ graph, positions }: Analysis): StructuredGroup[] {
  const factors = findFactors(graph);
  const isScored = new Set(
    factors
      .filter(({ weight }) => graph.constants.get(weight)?.type === 'float32')
      .flatMap(({ weight, inputAxis, outputAxis }) => [
        axisKey(weight, inputAxis),
        axisKey(weight, outputAxis),
      ]),
  );
  const readers = readersOf(graph);
  const names = new Map<string, number>();
  return alikeUnits(positions, (value, axis) => isScored.has(axisKey(value, axis)))
    .filter(({ count }) => count > 1)
    .map((alike) => ({ ...alike, members: membersOf(graph, alike.axes, factors, readers) }))
    .map((group) => ({ ...group, at: firstLayer(group.members, factors) }))
    .sort((a, b) => a.at - b.at)
    .map(({ axes, members, count, head, pin, at }) => {
      const base = factors[at]?.node.name ?? '';
      const number = (names.get(base) ?? 0) + 1;
      names.set(base, number);
      const name = number === 1 ? base : `${base}#${number}`;
      return {
        name,
        kind: pin?.narrows === true ? 'embedding' : head ? 'head' : kindOf(graph, members),
        units: count,
        members,
        axes,
        blocked: pin,
      };
    });
}

/** Whether the units of a group can be removed, the embedding's included. */
export function isRemovable({ blocked, kind }: StructuredGroup): boolean {
  return blocked === undefined || kind === 'embedding';
}

function membersOf(
  graph: Graph,
  axes: readonly GroupAxis[],
  factors: readonly Factor[],
  readers: ReadonlyMap<string, readonly string[]>,
): GroupMember[] {
  return axes.flatMap(({ value, axis, perUnit }) => {
    if (!graph.constants.has(value)) return [];
    const own = factors.filter(({ weight }) => weight === value);
    const role = own.some((factor) => factor.outputAxis === axis)
      ? 'output'
      : own.some((factor) => factor.inputAxis === axis)
        ? 'input'
        : 'other';
    return [{ constant: value, axis, perUnit, role, nodes: readers.get(value) ?? [] }];
  });
}

/** The number of the first layer that gives the channels of a group, else of the first that takes them. */
function firstLayer(members: readonly GroupMember[], factors: readonly Factor[]): number {
  for (const role of ['output', 'input'] as const) {
    const weights = new Set(members.filter((member) => member.role === role).map(({ constant }) => constant));
    const at = factors.findIndex(({ weight }) => weights.has(weight));
    if (at >= 0) return at;
  }
  return 0;
}

const channelOperators = new Set(['Conv', 'ConvTranspose', 'BatchNormalization', 'InstanceNormalization']);

function kindOf(graph: Graph, members: readonly GroupMember[]): UnitKind {
  const nodes = new Set(members.flatMap((member) => member.nodes));
  return graph.nodes.some(({ name, op }) => nodes.has(name) && channelOperators.has(op))
    ? 'channel'
    : 'neuron';
}

function readersOf(graph: Graph): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const { name, inputs } of graph.nodes) {
    for (const input of new Set(inputs)) {
      if (!graph.constants.has(input)) continue;
      readers.set(input, [...(readers.get(input) ?? []), name]);
    }
  }
  return readers;
}

function axisKey(value: string, axis: number): string {
  return `${axis} ${value}`;
}
