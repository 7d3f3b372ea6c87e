import { intAttribute, intsAttribute } from '../attributes.js';
import { int64List } from '../data.js';
import type { Node } from '../graph.js';
import { bodyOf, giveOutput, type Host, helper, malformed } from './host.js';
import { bodyScope, inline, type Scope } from './scope.js';
import { stack, stackNothing } from './stack.js';

/**
 * Scan in the form of opset 9 and later, unrolled: the scanned axes give the number of iterations.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED for the form of opset 8, and for more iterations than are unrolled
 */
export function expandScan(host: Host, node: Node, scope: Scope): void {
  const context = host.context(node);
  if (host.opset < 9) throw context.unsupported('the form of opset 8, with a batch axis, is not run');
  const scanned = intAttribute(node, 'num_scan_inputs', 0);
  const states = node.inputs.length - scanned;
  const stacked = node.outputs.length - states;
  if (scanned < 1 || states < 0 || stacked < 0)
    throw malformed(node, 'scan inputs, and an output for each state', `num_scan_inputs ${scanned}`);
  const body = bodyOf(node, 'body', { inputs: node.inputs.length, outputs: node.outputs.length });
  const list = (name: string, count: number) => intsAttribute(node, name) ?? new Array<number>(count).fill(0);
  const inputAxes = list('scan_input_axes', scanned).map((axis, i) =>
    context.normalizeAxis(axis, context.dims(states + i).length),
  );
  const inputsReversed = list('scan_input_directions', scanned);
  const outputAxes = list('scan_output_axes', stacked);
  const outputsReversed = list('scan_output_directions', stacked);
  const lengths = inputAxes.map((axis, i) => context.dims(states + i)[axis] ?? 0);
  const length = lengths[0] ?? 0;
  if (lengths.some((other) => other !== length))
    throw context.shapeError(`the scanned axes have lengths ${lengths.join(', ')}`);

  const constants = bodyScope(host, body, node.name, scope);
  let carried: readonly string[] = node.inputs.slice(0, states);
  const rows: (readonly string[])[] = [];
  for (let step = 0; step < length; step++) {
    host.spend(node, 1);
    const slices = inputAxes.map((axis, i) => {
      const at = inputsReversed[i] === 1 ? length - 1 - step : step;
      return slice(host, node, node.inputs[states + i] ?? '', axis, at);
    });
    const values = inline(host, body, `${node.name}/${step}`, [...carried, ...slices], constants);
    carried = values.slice(0, states);
    rows.push(values.slice(states));
  }
  for (const [i, output] of node.outputs.entries()) {
    const column = i - states;
    if (column < 0) giveOutput(host, node, output, carried[i] ?? '');
    else if (rows.length === 0) stackNothing(host, node, output, body, i);
    else {
      const values = rows.map((row) => row[column] ?? '');
      const rank = host.value(values[0] ?? '').dims.length + 1;
      const axis = context.normalizeAxis(outputAxes[column] ?? 0, rank);
      stack(host, node, output, outputsReversed[column] === 1 ? values.toReversed() : values, axis);
    }
  }
}

/** Element `at` of an axis, which goes. */
function slice(host: Host, node: Node, input: string, axis: number, at: number): string {
  const constant = (hint: string, value: number) => {
    const name = host.fresh(`${node.name}/${hint}`);
    host.define(name, int64List([value]));
    return name;
  };
  const axes = constant('axes', axis);
  const [part, element] = [host.fresh(`${node.name}/slice`), host.fresh(`${node.name}/element`)];
  const bounds = [constant('start', at), constant('end', at + 1), axes];
  host.add(helper(host, node, 'Slice', [input, ...bounds], [part]));
  host.add(helper(host, node, 'Squeeze', [host.resolve(part), axes], [element]));
  return host.resolve(element);
}
