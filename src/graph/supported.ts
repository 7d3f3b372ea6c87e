import { EspalierError } from '../errors.js';
import { isUpgraded, newestOpset, oldestForms, oldestOpset } from './canonicalize.js';
import { isControlFlow } from './control_flow/index.js';
import { decompositionOf } from './decompose/index.js';
import type { Graph, Node } from './graph.js';
import { allGraphs } from './inner_graphs.js';
import { operators } from './operators/registry.js';

/** Node names a message lists for one operator before it only counts. */
const listedNames = 5;

/**
 * Checks that espalier knows every operator of the graph and of those inside it.
 * @throws EspalierError ERR_ESPALIER_UNSUPPORTED: one error that lists all operators that are not supported, with
 *   domain, opset and the names of their nodes
 */
export function assertSupported(graph: Graph): void {
  const opset = graph.opsets.get('');
  const groups = new Map<string, Node[]>();
  const nodes = [...allGraphs(graph)].flatMap((one) => one.nodes);
  for (const node of nodes) {
    if (isControlFlow(node)) continue;
    const isOnnx = node.domain === '';
    const known = isOnnx && (operators.has(node.op) || isUpgraded(node.op));
    const isReadable = !isOnnx || opset === undefined || opset >= (oldestForms.get(node.op) ?? oldestOpset);
    if ((known || decompositionOf(node) !== undefined) && isReadable) continue;
    const version = graph.opsets.get(node.domain);
    const operator = `${node.domain === '' ? 'ai.onnx' : node.domain}.${node.op} (opset ${version ?? 'unknown'})`;
    const group = groups.get(operator);
    if (group === undefined) groups.set(operator, [node]);
    else group.push(node);
  }
  const usesDefault = nodes.some(({ domain }) => domain === '');
  const problems = [...groups].map(([operator, nodes]) => `${operator} in ${listNames(nodes)}`);
  if (usesDefault && (opset === undefined || opset < oldestOpset || opset > newestOpset)) {
    problems.unshift(
      `opset ${opset ?? 'unknown'} of ai.onnx, where ${oldestOpset} to ${newestOpset} are supported`,
    );
  }
  if (problems.length > 0) {
    throw new EspalierError(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected supported operators, got ${problems.join('; ')}`,
    );
  }
}

function listNames(nodes: readonly Node[]): string {
  const names = nodes.slice(0, listedNames).map(({ name }) => name);
  const rest = nodes.length - names.length;
  return `${nodes.length === 1 ? 'node' : 'nodes'} ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
