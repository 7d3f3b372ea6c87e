import { describe, expect, test } from 'vitest';
import { findLayers, isDepthwise } from '../../src/graph/layers.js';
import { chain, constant, everyKind, randomConstant, seeded } from './graphs.js';

describe('findLayers', () => {
  test('lists Conv of any rank, Gemm both ways and MatMul in node order', () => {
    const shapes = findLayers(everyKind(1)).map(
      ({ name, groups, outputs, inputs, outputStride, inputStride }) =>
        `${name} ${groups}x${outputs}x${inputs} @${outputStride},${inputStride}`,
    );
    expect(shapes).toEqual([
      'conv 1x21x45 @45,1',
      'grouped 3x18x12 @12,1',
      'conv1d 1x32x35 @35,1',
      'gemm 1x37x13 @1,37',
      'gemmT 1x19x11 @11,1',
      'matmul 1x16x9 @1,16',
      'depthwise 8x1x9 @9,1',
    ]);
  });

  test('a shared weight is listed once per node', () => {
    const graph = chain(
      [
        { name: 'a', op: 'MatMul', weight: 'w' },
        { name: 'b', op: 'MatMul', weight: 'w' },
      ],
      { w: randomConstant([4, 4], seeded(1)) },
    );
    expect(findLayers(graph).map((layer) => `${layer.name}:${layer.weight}`)).toEqual(['a:w', 'b:w']);
  });

  test('what has no fitting constant float32 weight is no layer', () => {
    const graph = chain(
      [
        { name: 'dynamic', op: 'MatMul', weight: 'y9' },
        { name: 'batched', op: 'MatMul', weight: 'rank3' },
        { name: 'int8', op: 'MatMul', weight: 'int8' },
        { name: 'empty', op: 'MatMul', weight: 'empty' },
        { name: 'oddGroups', op: 'Conv', weight: 'rank3', attributes: { group: 4 } },
        { name: 'noGroups', op: 'Conv', weight: 'rank3', attributes: { group: 0 } },
        { name: 'transposed', op: 'ConvTranspose', weight: 'rank3' },
      ],
      {
        rank3: randomConstant([6, 2, 3], seeded(1)),
        int8: { type: 'int8', dims: [2, 2], bytes: new Uint8Array(4) },
        empty: constant([0, 3], []),
      },
    );
    expect(findLayers(graph)).toEqual([]);
  });

  test('depthwise means one input channel for each of several groups', () => {
    const graph = everyKind(1);
    expect(
      findLayers(graph)
        .filter((layer) => isDepthwise(graph, layer))
        .map((layer) => layer.name),
    ).toEqual(['depthwise']);
    const mono = chain([{ name: 'mono', op: 'Conv', weight: 'w' }], {
      w: randomConstant([8, 1, 3, 3], seeded(1)),
    });
    expect(findLayers(mono).map((layer) => isDepthwise(mono, layer))).toEqual([false]);
  });
});
