import { expect, test } from 'vitest';
import { cutGraph } from '../../src/graph/cut.js';
import type { Graph, Node } from '../../src/graph/graph.js';

const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: Node['attributes'] = new Map(),
): Node => ({
  name: `${op}/${output}`,
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes,
});
const info = (name: string) => ({ name, type: 'float32' as const, dims: undefined });
const graphOf = (graph: Partial<Graph>) =>
  ({ inputs: [], outputs: [], constants: new Map(), nodes: [], ...graph }) as unknown as Graph;

test('what a graph inside gives as it is from outside is needed, what it defines itself is not', () => {
  const branch = (nodes: Node[], output: string) => ({
    kind: 'graph' as const,
    value: graphOf({ nodes, outputs: [info(output)] }),
  });
  const branches = new Map([
    ['then_branch', branch([], 'outer')],
    ['else_branch', branch([node('Neg', ['x'], 'own')], 'own')],
  ]);
  const graph = graphOf({
    inputs: [info('x'), info('condition')],
    nodes: [
      node('Relu', ['x'], 'outer'),
      node('Abs', ['x'], 'other'),
      node('If', ['condition'], 'y', branches),
    ],
  });
  expect(cutGraph(graph, ['y']).nodes.map(({ outputs }) => outputs[0])).toEqual(['outer', 'y']);
});
