import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectGraph } from '../../src/evaluate/inspect.js';
import { readTensors, tensorsOf } from '../../src/formats/index.js';
import { exportOnnx, importOnnx, readOnnxStorage } from '../../src/formats/onnx/index.js';
import { type ModelProto, modelType } from '../../src/formats/onnx/schema.js';
import { type Graph, loadWeights, readNumbers, type TensorData } from '../../src/graph/index.js';
import { cli } from '../cli/models.js';
import { buildGraph, floats, node } from '../graph/support.js';

const silero = 'node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx';
let folder = '';
const at = (name: string) => path.join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-inner-'));
});
afterEach(() => rm(folder, { recursive: true }));

function branch(w: readonly number[], nodes = [node('MatMul', ['x', 'w'], ['y'])]): Graph {
  const graph = buildGraph({ opset: 17, constants: { w: floats([2, 2], w) }, nodes, outputs: {} });
  return { ...graph, outputs: [{ name: 'y', type: 'float32', dims: undefined, undeclared: true }] };
}

/** An If whose branches hold a `w` each, one of them an If as well; the outer graph has constants called like these. */
function nested(): Graph {
  const inner = node('If', ['c'], ['y'], {
    then_branch: branch([5, 5, 5, 5]),
    else_branch: branch([6, 6, 6, 6]),
  });
  return buildGraph({
    opset: 17,
    inputs: { x: ['float32', 2, 2], c: ['bool'] },
    constants: { w: floats([2, 2], [1, 1, 1, 1]), 'If_y/then_branch/w': floats([2, 2], [2, 2, 2, 2]) },
    nodes: [
      node('If', ['c'], ['y'], {
        then_branch: branch([3, 0, 0, 0]),
        else_branch: branch([4, 4, 4, 4], [inner]),
      }),
    ],
    outputs: { y: 'float32' },
  });
}

const named: readonly (readonly [name: string, first: number])[] = [
  ['w', 1],
  ['If_y/then_branch/w', 2],
  ['If_y/then_branch/w_', 3],
  ['If_y/else_branch/w', 4],
  ['If_y/else_branch/If_y/then_branch/w', 5],
  ['If_y/else_branch/If_y/else_branch/w', 6],
];

const firstOf = (tensors: ReadonlyMap<string, TensorData>) =>
  [...tensors].map(([name, data]) => [name, readNumbers(data)[0]]);

test('constants of branches have names of their own, the same after a round trip', () => {
  const graph = nested();
  expect(firstOf(tensorsOf({ format: 'onnx', graph }))).toEqual(named);
  const again = importOnnx(exportOnnx(graph));
  expect(firstOf(tensorsOf({ format: 'onnx', graph: again }))).toEqual(named);
});

test('weights go back into branches by these names', () => {
  const tensors = new Map(named.map(([name, first]) => [name, floats([2, 2], [first * 10, 0, 0, 0])]));
  tensors.delete('If_y/else_branch/w');
  const loaded = loadWeights(nested(), tensors, { transposed: [] });
  const expected = named.map(([name, first]) => [name, first === 4 ? 4 : first * 10]);
  expect(firstOf(tensorsOf({ format: 'onnx', graph: loaded }))).toEqual(expected);
  const unknown = new Map([['If_y/else_branch/v', floats([2, 2])]]);
  expect(() => loadWeights(nested(), unknown)).toThrow(/did you mean "If_y\/else_branch\/w"\?/);
});

test('names that repeat a very long one of a node are refused before they fill the memory', () => {
  const outer = {
    ...node('If', ['c'], ['y'], { then_branch: branch([1, 2, 3, 4]) }),
    name: 'n'.repeat(2 ** 27),
  };
  const graph = buildGraph({ opset: 17, nodes: [outer], outputs: {} });
  expect(() => tensorsOf({ format: 'onnx', graph })).toThrow(
    /names of constants in branches and loop bodies/,
  );
});

test('inspect counts what is in branches', async () => {
  const { parameters, operators, layers } = inspectGraph(nested());
  expect(parameters).toEqual({ constants: 6, count: 24, bytes: 96 });
  expect(operators).toEqual({ MatMul: 3, If: 2 });
  expect(layers.map(({ name, zeros }) => [name, zeros])).toEqual([
    ['If_y/then_branch/MatMul_y', 3],
    ['If_y/else_branch/If_y/then_branch/MatMul_y', 0],
    ['If_y/else_branch/If_y/else_branch/MatMul_y', 0],
  ]);
  const proto: ModelProto = modelType.toObject(modelType.decode(exportOnnx(nested())));
  const inner = proto.graph?.node?.[0]?.attribute?.[0]?.g;
  for (const tensor of inner?.initializer ?? []) {
    delete tensor.raw_data;
    Object.assign(tensor, { data_location: 1, external_data: [{ key: 'location', value: 'w.bin' }] });
  }
  await writeFile(at('m.onnx'), modelType.encode(proto).finish());
  expect(await readOnnxStorage(at('m.onnx'))).toEqual({
    external: [{ file: 'w.bin', constants: 1 }],
    sparse: 0,
  });
});

test('diff compares them, as tensors and not as nodes', async () => {
  await writeFile(at('a.onnx'), exportOnnx(nested()));
  const name = 'If_y/else_branch/If_y/else_branch/w';
  const other = loadWeights(nested(), new Map([[name, floats([2, 2], [6, 6, 6, 8])]]));
  await writeFile(at('b.onnx'), exportOnnx(other));
  const { out, err } = await cli('diff', at('a.onnx'), at('b.onnx'), '--no-run', '--json');
  expect(err).toBe('');
  const { structure, tensors } = JSON.parse(out);
  expect(structure.changed).toEqual([]);
  const differing = tensors.filter((one: { difference: { share: number } }) => one.difference.share > 0);
  expect(differing).toMatchObject([{ name, difference: { max: 2, share: 0.25 } }]);
});

test('a model that is one If converts to its weights and back', async () => {
  const convert = async (...args: string[]) =>
    expect(await cli('convert', ...args)).toMatchObject({ code: 0 });
  await convert(silero, at('w.safetensors'));
  expect((await readTensors(at('w.safetensors'))).size).toBe(341);
  await convert(silero, at('copy.onnx'));
  await convert(silero, at('loaded.onnx'), '--weights', at('w.safetensors'));
  expect(Buffer.compare(await readFile(at('loaded.onnx')), await readFile(at('copy.onnx')))).toBe(0);
});
