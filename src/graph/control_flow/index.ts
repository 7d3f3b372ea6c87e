import type { Node } from '../graph.js';
import { expandIf } from './branch.js';
import type { Host } from './host.js';
import { expandLoop } from './loop.js';
import { expandScan } from './scan.js';
import type { Scope } from './scope.js';

const expansions: Readonly<Record<string, (host: Host, node: Node, scope: Scope) => void>> = {
  If: expandIf,
  Loop: expandLoop,
  Scan: expandScan,
};

/** Whether specialisation replaces the node by nodes of the graphs in its attributes. */
export function isControlFlow({ op, domain }: Node): boolean {
  return domain === '' && Object.hasOwn(expansions, op);
}

/**
 * Writes what the node does to the graph, without it. Its inputs are resolved; the names in its graphs are those of
 * `scope` and of the outermost graph.
 */
export function expand(host: Host, node: Node, scope: Scope): void {
  expansions[node.op]?.(host, node, scope);
}
