import type { Attribute, Graph, Node, TensorData } from './graph.js';

export type BranchName = 'then_branch' | 'else_branch';

/** The If of the graph, not of those inside it, that a value is called after which only its branches know. */
export function ifAround(graph: Graph, value: string): Node | undefined {
  return graph.nodes.find(
    ({ op, domain, name }) =>
      op === 'If' &&
      domain === '' &&
      (value.startsWith(`${name}/then_branch/`) || value.startsWith(`${name}/else_branch/`)),
  );
}

/** The graph with one branch in the place of an If. */
export function inlineBranch(graph: Graph, node: Node, branch: BranchName): Graph {
  const attribute = node.attributes.get(branch);
  if (attribute?.kind !== 'graph') return graph; // who runs it says what is wrong
  const body = attribute.value;
  const taken = new Set([
    ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
    ...graph.constants.keys(),
  ]);
  const fresh = (name: string): string => {
    let own = `${node.name}/${branch}/${name}`;
    while (taken.has(own)) own += '_';
    taken.add(own);
    return own;
  };
  const names = new Map<string, string>();
  for (const name of [...body.constants.keys(), ...body.nodes.flatMap(({ outputs }) => outputs)])
    if (name !== '' && !names.has(name)) names.set(name, fresh(name));
  const rename = (name: string) => names.get(name) ?? name;
  const constants: [string, TensorData][] = [...body.constants].map(([name, data]) => [rename(name), data]);
  const results = node.outputs.flatMap((output, i): Node[] => {
    if (output === '') return [];
    const inputs = [rename(body.outputs[i]?.name ?? '')];
    return [
      {
        name: fresh(`Identity_${i}`),
        op: 'Identity',
        domain: '',
        inputs,
        outputs: [output],
        attributes: new Map(),
      },
    ];
  });
  const inner = body.nodes.map((one) => ({ ...renameNode(one, rename), name: fresh(one.name) }));
  return {
    ...graph,
    nodes: graph.nodes.flatMap((one) => (one === node ? [...inner, ...results] : [one])),
    constants: new Map([...graph.constants, ...constants]),
  };
}

/** Names that a graph inside defines are its own: ONNX has none of them defined outside as well. */
function renameNode(node: Node, rename: (name: string) => string): Node {
  const attributes = new Map<string, Attribute>();
  for (const [key, attribute] of node.attributes)
    attributes.set(
      key,
      attribute.kind === 'graph' ? { kind: 'graph', value: renameUses(attribute.value, rename) } : attribute,
    );
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename), attributes };
}

function renameUses(graph: Graph, rename: (name: string) => string): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameNode(node, rename)),
    outputs: graph.outputs.map((output) => ({ ...output, name: rename(output.name) })),
  };
}
