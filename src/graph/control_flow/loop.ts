import { elementCount } from '../../tensor.js';
import { fromNumbers, readNumbers } from '../data.js';
import type { Node } from '../graph.js';
import type { OperatorContext } from '../operators/definition.js';
import { bodyOf, giveOutput, type Host, malformed } from './host.js';
import { bodyScope, inline, type Scope } from './scope.js';
import { stack, stackNothing } from './stack.js';

/**
 * Loop, unrolled: the trip count, and the condition before each iteration, must be known when the graph is specialised.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED when they are computed at run time, or there are too many iterations
 */
export function expandLoop(host: Host, node: Node, scope: Scope): void {
  const context = host.context(node);
  const carriedCount = Math.max(0, node.inputs.length - 2);
  const stackedCount = node.outputs.length - carriedCount;
  if (stackedCount < 0) throw malformed(node, `at least ${carriedCount} outputs`, `${node.outputs.length}`);
  const counts = { inputs: 2 + carriedCount, outputs: 1 + carriedCount + stackedCount };
  const body = bodyOf(node, 'body', counts);
  const trips = context.has(0) ? oneNumber(context, 0) : Number.POSITIVE_INFINITY;
  let going = context.has(1) ? oneNumber(context, 1) !== 0 : true;
  const constants = bodyScope(host, body, node.name, scope);
  let carried: readonly string[] = node.inputs.slice(2);
  const rows: (readonly string[])[] = [];
  for (let trip = 0; going && trip < trips; trip++) {
    host.spend(node, 1);
    const prefix = `${node.name}/${trip}`;
    const [index, condition] = [host.fresh(`${prefix}/trip`), host.fresh(`${prefix}/condition`)];
    host.define(index, fromNumbers('int64', [], [trip]));
    host.define(condition, fromNumbers('bool', [], [1]));
    const [next = '', ...values] = inline(host, body, prefix, [index, condition, ...carried], constants);
    const known = host.constant(next);
    if (known === undefined)
      throw context.unsupported(
        'whether it goes on is computed at run time; only known trip counts are unrolled',
      );
    going = readNumbers(known)[0] !== 0;
    carried = values.slice(0, carriedCount);
    rows.push(values.slice(carriedCount));
  }
  for (const [i, output] of node.outputs.entries()) {
    const column = i - carriedCount;
    if (column < 0) giveOutput(host, node, output, carried[i] ?? '');
    else if (rows.length === 0) stackNothing(host, node, output, body, 1 + i);
    else
      stack(
        host,
        node,
        output,
        rows.map((row) => row[column] ?? ''),
        0,
      );
  }
}

/** The one element of an input that must be known. */
function oneNumber(context: OperatorContext, index: number): number {
  if (elementCount(context.dims(index)) !== 1) throw context.shapeError(`input ${index} must be one element`);
  return context.anyNumbers(index)[0] ?? 0;
}
