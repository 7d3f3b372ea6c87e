import type { Graph, Node } from '../graph.js';
import { usedValues } from '../order.js';
import type { Host } from './host.js';

/** What the names of a graph inside another one are called in the graph that it is written into. */
export class Scope {
  readonly #names = new Map<string, string>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  /** Whether it is that of a graph inside the outermost one. */
  get isInner(): boolean {
    return this.#outer !== undefined;
  }

  define(inner: string, name: string): void {
    this.#names.set(inner, name);
  }

  /** A name that no graph inside defines belongs to the outermost one, and stays. */
  resolve(inner: string): string {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#outer) {
      const name = scope.#names.get(inner);
      if (name !== undefined) return name;
    }
    return inner;
  }
}

/** A scope with the constants of a body, which iterations share. */
export function bodyScope(host: Host, body: Graph, prefix: string, outer: Scope): Scope {
  const scope = new Scope(outer);
  for (const [name, data] of body.constants) {
    const own = host.fresh(`${prefix}/${name}`);
    scope.define(name, own);
    host.define(own, data);
  }
  return scope;
}

/**
 * Writes the nodes of a body as nodes of the outermost graph, under names of their own.
 * @param bindings what the body's inputs are in the outermost graph, in order
 * @param outer scope of {@link bodyScope}
 * @returns the names of the body's outputs in the outermost graph
 */
export function inline(
  host: Host,
  body: Graph,
  prefix: string,
  bindings: readonly string[],
  outer: Scope,
): string[] {
  const scope = new Scope(outer);
  body.inputs.forEach(({ name }, i) => {
    scope.define(name, bindings[i] ?? '');
  });
  for (const output of body.nodes.flatMap(({ outputs }) => outputs)) {
    if (output !== '') scope.define(output, host.fresh(`${prefix}/${output}`));
  }
  const used = [...body.nodes.flatMap(usedValues), ...body.outputs.map(({ name }) => name)];
  host.markUsed(used.map((name) => scope.resolve(name)));
  for (const node of body.nodes) host.write(renamed(node, prefix, scope), scope);
  return body.outputs.map(({ name }) => host.resolve(scope.resolve(name)));
}

function renamed(node: Node, prefix: string, scope: Scope): Node {
  const outputs = node.outputs.map((output) => (output === '' ? '' : scope.resolve(output)));
  return { ...node, name: `${prefix}/${node.name}`, outputs };
}
