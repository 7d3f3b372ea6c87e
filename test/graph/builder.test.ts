import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { GraphBuilder } from '../../src/graph/index.js';
import { Tensor } from '../../src/tensor.js';
import { runEspalier, runOnnxruntime } from '../operators/support.js';

test('writes a model that both engines read', async () => {
  const b = new GraphBuilder('small');
  const x = b.input('x', [1, 2]);
  const product = b.node('MatMul', [x, b.constant([2, 3], [1, 2, 3, 4, 5, 6], 'weight')], {}, 'product');
  const [left = '', right = ''] = b.nodes('Split', [product, b.ints([1, 2])], 2, { axis: 1 });
  const graph = b.output('y', b.node('Concat', [right, left], { axis: -1 })).build();
  expect(graph.constants.get('weight')?.dims).toEqual([2, 3]);
  expect(b.dims(right)).toEqual([1, 2]);
  expect(graph.outputs).toEqual([{ name: 'y', type: 'float32', dims: [1, 3] }]);
  const feeds = { x: new Tensor('float32', Float32Array.of(1, -1), [1, 2]) };
  for (const run of [runOnnxruntime, runEspalier]) {
    const { y } = await run(exportOnnx(graph), feeds);
    expect(y?.data).toEqual(Float32Array.of(-3, -3, -3)); // 1 - 4, 2 - 5, 3 - 6
  }
});

test('attributes have the kinds that ONNX expects', () => {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 1, 4, 4]);
  const y = b.node('LeakyRelu', [x], { alpha: 1 });
  const z = b.node('MaxPool', [y], { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER', ceil_mode: undefined });
  const { nodes } = b.output('z', z).build();
  expect([...(nodes[0]?.attributes ?? [])]).toEqual([['alpha', { kind: 'float', value: 1 }]]);
  expect([...(nodes[1]?.attributes ?? [])]).toEqual([
    ['kernel_shape', { kind: 'ints', value: [2n, 2n] }],
    ['auto_pad', { kind: 'string', value: 'SAME_UPPER' }],
  ]);
});

test('what does not fit is an error where it is added', () => {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 2]);
  expect(() => b.node('MatMul', [x, b.constant([3, 1], [1, 2, 3])])).toThrow(
    expect.objectContaining({
      code: 'ERR_ESPALIER_SHAPE',
      message: expect.stringContaining('inner dims 2 and 3'),
    }),
  );
  expect(() => b.node('Relu', ['nothing'])).toThrow('Expected a value of the graph, got "nothing"');
  expect(() => b.node('Rleu', [x])).toThrow('Expected an operator that espalier knows, got Rleu');
  expect(() => b.constant([2, 2], [1])).toThrow('Expected 4 values for dims [2, 2], got 1');
  expect(() => b.constant([2], new Float32Array(3))).toThrow('Expected 2 values of float32');
  expect(() => b.input('x', [1])).toThrow('Expected a new name, got "x"');
  expect(() => b.build()).toThrow('Expected graph "graph" to have an output, got none');
});
