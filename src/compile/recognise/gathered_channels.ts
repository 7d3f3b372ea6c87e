import { intAttribute, intsAttribute, intsValue } from '../../graph/attributes.js';
import { readNumbers } from '../../graph/data.js';
import type { Node } from '../../graph/graph.js';
import type { Match } from './match.js';

/** Attribute of a Conv that no model has: the channels of its input that its filters see, one after the other. */
const attribute = 'espalier_input_channels';

/** The channels of its input that a Conv sees, undefined when these are all. */
export const inputChannelsOf = (node: Node) => intsAttribute(node, attribute);

/** Channels that Gather selects for a Conv are selected by the Conv itself, which copies what it sees anyway. */
export function gatherIntoConv({ graph, producers, node }: Match): Node | undefined {
  const gather = producers.get(node.inputs[0] ?? '');
  if (node.op !== 'Conv' || gather?.op !== 'Gather' || inputChannelsOf(node) !== undefined) return undefined;
  const [x = '', indices = ''] = gather.inputs;
  const dims = graph.values.get(x)?.dims ?? [];
  const index = graph.constants.get(indices);
  const axis = intAttribute(gather, 'axis', 0);
  const isChannel = axis === 1 || axis === 1 - dims.length;
  if (!isChannel || index?.dims.length !== 1 || intAttribute(node, 'group', 1) !== 1) return undefined;
  const total = dims[1] ?? 0;
  const channels = readNumbers(index).map((channel) => (channel < 0 ? channel + total : channel));
  if (channels.length === 0 || channels.some((channel) => channel < 0 || channel >= total)) return undefined;
  return {
    ...node,
    inputs: node.inputs.with(0, x),
    attributes: new Map([...node.attributes, [attribute, intsValue(channels)]]),
  };
}
