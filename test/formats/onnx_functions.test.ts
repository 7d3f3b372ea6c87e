import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/formats/onnx/index.js';
import { functionType, modelType } from '../../src/formats/onnx/schema.js';
import { Tensor } from '../../src/index.js';
import { compareAll, runEspalier, runOnnxruntime } from '../operators/support.js';

const low = (value: number) => ({ low: value, high: 0, unsigned: false });
const opsets = [
  { domain: '', version: low(17) },
  { domain: 'mine', version: low(1) },
];

interface NodeParts {
  readonly op_type: string;
  readonly domain?: string;
  readonly input: string[];
  readonly output: string[];
  readonly attribute?: object[];
}

const float = (name: string, f: number) => ({ name, type: 1, f });
const reference = (name: string, to: string) => ({ name, type: 1, ref_attr_name: to });

/** A function of the domain `mine`. */
const functionOf = (name: string, input: string[], output: string[], node: NodeParts[], more: object = {}) =>
  functionType.encode({ name, domain: 'mine', input, output, node, opset_import: opsets, ...more }).finish();

const value = (name: string, elem_type = 1) => ({
  name,
  type: { tensor_type: { elem_type, shape: { dim: [{ dim_value: low(2) }, { dim_value: low(3) }] } } },
});

const modelOf = (functions: Uint8Array[], node: NodeParts[]) =>
  modelType
    .encode({
      ir_version: low(8),
      opset_import: opsets,
      functions,
      graph: { name: 'g', node, input: [value('x')], output: [value('y')] },
    })
    .finish();

const x = new Tensor('float32', [-2, -1, 0, 1, 2, 3], [2, 3]);

async function expectSame(bytes: Uint8Array): Promise<void> {
  expect(compareAll(await runEspalier(bytes, { x }), await runOnnxruntime(bytes, { x }))).toEqual([]);
}

const leaky = functionOf(
  'Leaky',
  ['v'],
  ['w'],
  [
    { op_type: 'LeakyRelu', input: ['v'], output: ['t'], attribute: [reference('alpha', 'slope')] },
    { op_type: 'Add', input: ['t', 'v'], output: ['w'] },
  ],
  { attribute_proto: [float('slope', 0.25)] },
);

describe('functions of a model', () => {
  it('are written where they are called, with the attributes of the call or their defaults', async () => {
    const call = (input: string, output: string, attribute: object[] = []): NodeParts => ({
      op_type: 'Leaky',
      domain: 'mine',
      input: [input],
      output: [output],
      attribute,
    });
    const bytes = modelOf([leaky], [call('x', 't', [float('slope', 0.5)]), call('t', 'y')]);
    expect(importOnnx(bytes).nodes.map(({ op }) => op)).toEqual(['LeakyRelu', 'Add', 'LeakyRelu', 'Add']);
    await expectSame(bytes);
  });

  it('may call one another, and hold branches that read their values', async () => {
    const branch = (op: string) => ({
      name: op,
      node: [{ op_type: op, input: ['t'], output: [`${op}_out`] }],
      output: [{ name: `${op}_out`, type: { tensor_type: { elem_type: 1 } } }],
    });
    const outer = functionOf(
      'Outer',
      ['a'],
      ['b'],
      [
        { op_type: 'Leaky', domain: 'mine', input: ['a'], output: ['t'] },
        {
          op_type: 'ReduceSum',
          input: ['a'],
          output: ['s'],
          attribute: [{ name: 'keepdims', type: 2, i: low(0) }],
        },
        { op_type: 'Cast', input: ['s'], output: ['c'], attribute: [{ name: 'to', type: 2, i: low(9) }] },
        {
          op_type: 'If',
          input: ['c'],
          output: ['b'],
          attribute: [
            { name: 'then_branch', type: 5, g: branch('Exp') },
            { name: 'else_branch', type: 5, g: branch('Neg') },
          ],
        },
      ],
    );
    await expectSame(
      modelOf([leaky, outer], [{ op_type: 'Outer', domain: 'mine', input: ['x'], output: ['y'] }]),
    );
  });

  it('are refused when they call themselves, or import another opset', () => {
    const call = { op_type: 'Again', domain: 'mine', input: ['x'], output: ['y'] };
    const again = functionOf('Again', ['x'], ['y'], [call]);
    expect(() => importOnnx(modelOf([again], [call]))).toThrow(
      /functions that do not call themselves, got mine.Again/,
    );
    const twice = functionOf(
      'Again',
      ['x'],
      ['y'],
      [
        { ...call, op_type: 'Half', output: ['t'] },
        { ...call, op_type: 'Half', input: ['t'] },
      ],
    );
    const old = functionOf('Again', ['x'], ['y'], [], { opset_import: [{ domain: '', version: low(9) }] });
    expect(() => importOnnx(modelOf([old], [call]))).toThrow(/the model's opset 17 of "", got 9/);
    expect(() => importOnnx(modelOf([twice], [call]))).not.toThrow();
  });

  it('do not become more nodes than memory holds', () => {
    const levels = Array.from({ length: 40 }, (_, i) =>
      functionOf(
        `F${i}`,
        ['x'],
        ['y'],
        [
          { op_type: `F${i + 1}`, domain: 'mine', input: ['x'], output: ['t'] },
          { op_type: `F${i + 1}`, domain: 'mine', input: ['t'], output: ['y'] },
        ],
      ),
    );
    const call = { op_type: 'F0', domain: 'mine', input: ['x'], output: ['y'] };
    expect(() => importOnnx(modelOf(levels, [call]))).toThrow(/become at most/);
  });
});
