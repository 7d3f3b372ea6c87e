import { intValue } from '../attributes.js';
import { byteCount, int64List } from '../data.js';
import type { Graph, Node } from '../graph.js';
import { giveOutput, type Host, helper } from './host.js';

/** One output of all iterations: the values, in order, stacked along a new axis. */
export function stack(host: Host, node: Node, output: string, values: readonly string[], axis: number): void {
  if (output === '') return;
  const axes = host.fresh(`${node.name}/axes`);
  host.define(axes, int64List([axis]));
  const rows = values.map((value) => {
    const row = host.fresh(`${node.name}/row`);
    host.add(helper(host, node, 'Unsqueeze', [value, axes], [row]));
    return host.resolve(row);
  });
  if (rows.length === 1) giveOutput(host, node, output, rows[0] ?? '');
  else host.add(helper(host, node, 'Concat', rows, [output], { axis: intValue(axis) }));
}

/** The stack of no values, whose dims only the declaration of the body's output tells. */
export function stackNothing(host: Host, node: Node, output: string, body: Graph, index: number): void {
  if (output === '') return;
  const declared = body.outputs[index];
  const dims = declared?.dims?.filter((dim) => typeof dim === 'number');
  if (
    declared === undefined ||
    declared.undeclared ||
    dims === undefined ||
    dims.length !== declared.dims?.length
  ) {
    throw host
      .context(node)
      .unsupported(`it runs no iteration, and the dims of output ${index} of its body are not declared`);
  }
  const data = {
    type: declared.type,
    dims: [0, ...dims],
    bytes: new Uint8Array(byteCount(declared.type, [0])),
  };
  const name = host.fresh(`${node.name}/nothing`);
  host.define(name, data);
  giveOutput(host, node, output, name);
}
