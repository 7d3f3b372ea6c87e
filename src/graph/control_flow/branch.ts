import { elementCount } from '../../tensor.js';
import { describeTensor, int64List, readNumbers } from '../data.js';
import type { Node } from '../graph.js';
import { bodyOf, giveOutput, type Host, helper } from './host.js';
import { bodyScope, inline, type Scope } from './scope.js';

/** Operators that fail on some data, by the input that decides: a branch that is not taken must not fail. */
const mayFail: ReadonlyMap<string, number> = new Map([
  ...['Gather', 'GatherElements', 'GatherND', 'ScatterElements', 'ScatterND'].map((op) => [op, 1] as const),
]);

/**
 * If: the branch of a condition that is known is written in place of the node. Of one that is computed at run time both
 * branches are, and Where chooses between their outputs: operators have no effects, so only time is lost.
 * @throws UnknownValueError when the condition is computed at run time and the branches differ in dims, or one of them
 *   holds a node that may fail
 */
export function expandIf(host: Host, node: Node, scope: Scope): void {
  const context = host.context(node);
  const { type, dims } = context.input(0);
  if (type !== 'bool') throw context.typeError('the condition must be bool');
  if (elementCount(dims) !== 1) throw context.shapeError('the condition must be one element');
  const write = (name: 'then_branch' | 'else_branch') => {
    const body = bodyOf(node, name, { inputs: 0, outputs: node.outputs.length });
    const prefix = `${node.name}/${name}`;
    return inline(host, body, prefix, [], bodyScope(host, body, prefix, scope));
  };
  if (context.constant(0) === undefined && !context.isDecidedByInputs(0)) {
    choose(host, node, write);
    return;
  }
  const [condition = 0] = readNumbers(context.known(0));
  const values = write(condition === 0 ? 'else_branch' : 'then_branch');
  for (const [i, output] of node.outputs.entries()) giveOutput(host, node, output, values[i] ?? '');
}

function choose(host: Host, node: Node, write: (name: 'then_branch' | 'else_branch') => string[]): void {
  const context = host.context(node);
  const start = host.nodes.length;
  const [yes, no] = [write('then_branch'), write('else_branch')];
  const failing = host.nodes.slice(start).find(({ op, inputs }) => {
    const index = mayFail.get(op);
    return index !== undefined && host.constant(inputs[index] ?? '') === undefined;
  });
  // Where both cannot run, the condition has to be known.
  if (failing !== undefined) throw context.unknown(0);
  let condition = node.inputs[0] ?? '';
  if (host.value(condition).dims.length > 0) {
    const axes = host.fresh(`${node.name}/axes`);
    host.define(axes, int64List(host.value(condition).dims.map((_, axis) => axis)));
    const scalar = host.fresh(`${node.name}/condition`);
    host.add(helper(host, node, 'Squeeze', [condition, axes], [scalar]));
    condition = host.resolve(scalar);
  }
  for (const [i, output] of node.outputs.entries()) {
    if (output === '') continue;
    const [a, b] = [yes[i] ?? '', no[i] ?? ''];
    if (describeTensor(host.value(a)) !== describeTensor(host.value(b))) throw context.unknown(0);
    host.add(helper(host, node, 'Where', [condition, a, b], [output]));
  }
}
