import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exportOnnx, importOnnx, readOnnx } from '../../src/formats/onnx/index.js';
import {
  type GraphProto,
  type ModelProto,
  modelType,
  type NodeProto,
  type TensorProto,
} from '../../src/formats/onnx/schema.js';
import { attributeCodes, fromBigInt } from '../../src/formats/onnx/wire.js';
import { readNumbers } from '../../src/graph/index.js';
import { codeOfType } from '../../src/graph/type_codes.js';
import type { DataType } from '../../src/tensor.js';
import { valuesOf } from '../graph/support.js';

const wide = (value: number | bigint) => fromBigInt(BigInt(value));
const value = (name: string, type: DataType = 'float32') => ({
  name,
  type: { tensor_type: { elem_type: codeOfType[type], shape: { dim: [{ dim_value: wide(2) }] } } },
});
const relu = (input: string, output: string, name = ''): NodeProto => ({
  op_type: 'Relu',
  input: [input],
  output: [output],
  name,
});
const raw = (name: string, type: DataType, dims: number[], bytes: Uint8Array): TensorProto => ({
  name,
  data_type: codeOfType[type],
  dims: dims.map(wide),
  raw_data: bytes,
});

function encode(graph: GraphProto, model: ModelProto = {}): Uint8Array {
  const full = { ir_version: wide(8), opset_import: [{ version: wide(13) }], graph, ...model };
  return modelType.encode(full).finish();
}

const simple = (graph: GraphProto): GraphProto => ({
  name: 'g',
  input: [value('x')],
  output: [value('y')],
  node: [relu('x', 'y')],
  ...graph,
});

function importError(bytes: Uint8Array): { code?: string; message?: string } {
  try {
    importOnnx(bytes, { name: 'm.onnx' });
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

describe('importOnnx', () => {
  it.each<[string, Uint8Array, string, RegExp]>([
    ['no bytes', new Uint8Array(), 'MODEL', /m\.onnx to be an ONNX model: got 0 bytes/],
    ['text', Buffer.from('hello, this is no model'), 'MODEL', /m\.onnx to be an ONNX model/],
    [
      'a PNG file',
      Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
      'MODEL',
      /m\.onnx to be an ONNX model/,
    ],
    ['zeros', new Uint8Array(1000), 'MODEL', /m\.onnx to be an ONNX model/],
    ['no graph', modelType.encode({ ir_version: wide(8) }).finish(), 'MODEL', /got no graph/],
    ['no ir_version', modelType.encode({ graph: {} }).finish(), 'MODEL', /got no ir_version/],
    ['no opset', encode(simple({}), { opset_import: [] }), 'MODEL', /m\.onnx to import an opset/],
    [
      'an undefined input',
      encode(simple({ node: [relu('z', 'y')] })),
      'MODEL',
      /input "z" of node Relu_0 \(Relu\) to be defined/,
    ],
    ['an undefined output', encode(simple({ output: [value('q')] })), 'MODEL', /output "q" to be a value/],
    [
      'two assignments',
      encode(simple({ node: [relu('x', 'y'), relu('x', 'y')] })),
      'MODEL',
      /"y" of node Relu_1 to be assigned once/,
    ],
    [
      'an input assigned',
      encode(simple({ node: [relu('x', 'y'), relu('y', 'x')] })),
      'MODEL',
      /"x" of node Relu_1/,
    ],
    [
      'a cycle',
      encode(simple({ node: [relu('b', 'a'), relu('a', 'b'), relu('a', 'y')] })),
      'MODEL',
      /without cycles/,
    ],
    ['no op_type', encode(simple({ node: [{ input: ['x'], output: ['y'] }] })), 'MODEL', /op_type/],
    [
      'too few bytes',
      encode(simple({ initializer: [raw('w', 'float32', [2, 3], new Uint8Array(20))] })),
      'MODEL',
      /initializer "w" to hold 24 bytes for float32 \[2, 3\], got 20/,
    ],
    [
      'negative dims',
      encode(simple({ initializer: [raw('w', 'float32', [-1], new Uint8Array(4))] })),
      'MODEL',
      /dims of initializer "w" to be non-negative integers, got -1/,
    ],
    [
      'dims whose product overflows',
      encode(simple({ initializer: [raw('w', 'int8', [2 ** 30, 2 ** 30], new Uint8Array(4))] })),
      'MODEL',
      /"w" to fit in memory/,
    ],
    [
      'a giant sparse initializer',
      encode(
        simple({
          sparse_initializer: [
            {
              values: raw('w', 'float32', [1], new Uint8Array(4)),
              indices: raw('', 'int64', [1], new Uint8Array(8)),
              dims: [wide(2 ** 40)],
            },
          ],
        }),
      ),
      'MODEL',
      /"w" \[1099511627776\] to fit in memory/,
    ],
    [
      'sparse initializers that are giant together',
      encode(
        simple({
          sparse_initializer: ['v', 'w'].map((name) => ({
            values: raw(name, 'float32', [1], new Uint8Array(4)),
            indices: raw('', 'int64', [1], new Uint8Array(8)),
            dims: [wide(2 ** 22)],
          })),
        }),
      ),
      'MODEL',
      /"w" \[4194304\] to fit in memory.* got 16777216 bytes, with which they are 33554432/,
    ],
    [
      'two constants of one name',
      encode(
        simple({
          initializer: [raw('w', 'int8', [0], new Uint8Array()), raw('w', 'int8', [0], new Uint8Array())],
        }),
      ),
      'MODEL',
      /one constant "w"/,
    ],
    [
      'string tensors',
      encode(simple({ initializer: [{ name: 's', data_type: 8, dims: [wide(0)] }] })),
      'UNSUPPORTED',
      /"s" .* got string/,
    ],
    [
      'sequences',
      encode(simple({ input: [value('x'), { name: 'q', type: {} }] })),
      'UNSUPPORTED',
      /input "q" to be declared as a tensor/,
    ],
    [
      'external data',
      encode(
        simple({
          initializer: [
            {
              name: 'w',
              data_type: 1,
              dims: [wide(1)],
              data_location: 1,
              external_data: [{ key: 'location', value: 'w.bin' }],
            },
          ],
        }),
      ),
      'FILE',
      /external data in "w\.bin"/,
    ],
  ])('refuses %s', (_, bytes, code, message) => {
    const error = importError(bytes);
    expect(error.code).toBe(`ERR_ESPALIER_${code}`);
    expect(error.message).toMatch(message);
  });

  it('refuses deep nesting and floods of messages', () => {
    let attribute: Uint8Array = new Uint8Array([0x0a, 0]);
    const wrap = (field: number, bytes: Uint8Array) => {
      const length: number[] = [];
      for (let rest = bytes.length; ; rest >>>= 7) {
        length.push(rest < 128 ? rest : (rest & 127) | 128);
        if (rest < 128) break;
      }
      return Buffer.concat([Uint8Array.of((field << 3) | 2, ...length), bytes]);
    };
    for (let i = 0; i < 2000; i++) attribute = wrap(6, wrap(1, wrap(5, attribute))); // graph, node, attribute
    const deep = wrap(7, wrap(1, wrap(5, attribute)));
    expect(importError(deep)).toMatchObject({
      code: 'ERR_ESPALIER_MODEL',
      message: expect.stringMatching(/nested too deeply/),
    });
    const flood = Buffer.alloc(40_000_000);
    for (let i = 0; i < flood.length; i += 2) flood[i] = 0x0a; // empty nodes
    expect(importError(wrap(7, flood))).toMatchObject({
      code: 'ERR_ESPALIER_MODEL',
      message: expect.stringMatching(/more than \d+ fields/),
    });
    const numbers = wrap(7, wrap(1, wrap(5, wrap(8, new Uint8Array(40_000_000))))); // attribute ints
    expect(importError(numbers).code).toBe('ERR_ESPALIER_MODEL');
  });

  it('keeps weights as views on the bytes', () => {
    const bytes = encode(
      simple({ initializer: [raw('w', 'float32', [2], new Uint8Array(Float32Array.of(1, 2).buffer))] }),
    );
    for (const given of [bytes, Buffer.from(bytes)]) {
      const data = importOnnx(given).constants.get('w');
      expect(data?.bytes.buffer).toBe(given.buffer);
      expect(Object.getPrototypeOf(data?.bytes)).toBe(Uint8Array.prototype);
      expect(data && readNumbers(data)).toEqual([1, 2]);
    }
  });

  it.each<[DataType, Partial<TensorProto>, (number | string)[]]>([
    ['float32', { float_data: [new Uint8Array(Float32Array.of(1.5, -2).buffer)] }, [1.5, -2]],
    ['float64', { double_data: [new Uint8Array(Float64Array.of(1.5, -2).buffer)] }, [1.5, -2]],
    ['int64', { int64_data: [varints(-3n, 2n ** 62n)] }, ['-3', String(2n ** 62n)]],
    ['uint64', { uint64_data: [varints(2n ** 64n - 1n, 5n)] }, [String(2n ** 64n - 1n), '5']],
    ['uint32', { uint64_data: [varints(2n ** 32n - 1n, 5n)] }, [2 ** 32 - 1, 5]],
    ['int32', { int32_data: [varints(-3n), varints(7n)] }, [-3, 7]],
    ['int8', { int32_data: [varints(-3n, 7n)] }, [-3, 7]],
    ['uint8', { int32_data: [varints(200n, 7n)] }, [200, 7]],
    ['int16', { int32_data: [varints(-300n, 7n)] }, [-300, 7]],
    ['uint16', { int32_data: [varints(65535n, 7n)] }, [65535, 7]],
    ['bool', { int32_data: [varints(1n, 0n)] }, [1, 0]],
    ['float16', { int32_data: [varints(0x3c00n, 0xc000n)] }, [1, -2]],
    ['bfloat16', { int32_data: [varints(0x3f80n, 0xc000n)] }, [1, -2]],
  ])('reads the typed field of %s', (type, fields, expected) => {
    const tensor = { name: 'w', data_type: codeOfType[type], dims: [wide(2)], ...fields };
    const data = importOnnx(encode(simple({ initializer: [tensor] }))).constants.get('w');
    expect(data && valuesOf(data)).toEqual(expected);
  });

  it('refuses damaged packed integers', () => {
    const tensor = {
      name: 'w',
      data_type: codeOfType.int64,
      dims: [wide(1)],
      int64_data: [Uint8Array.of(0x80, 0x80)],
    };
    expect(importError(encode(simple({ initializer: [tensor] })))).toMatchObject({
      code: 'ERR_ESPALIER_MODEL',
      message: expect.stringMatching(/initializer "w"/),
    });
  });

  it('makes constants of Constant nodes, and of inputs with initializers', () => {
    const constant = (output: string, attribute: NonNullable<NodeProto['attribute']>[number]): NodeProto => ({
      op_type: 'Constant',
      output: [output],
      attribute: [attribute],
    });
    const graph = importOnnx(
      encode(
        simple({
          input: [value('x'), value('w')],
          initializer: [raw('w', 'int8', [2], Uint8Array.of(1, 2))],
          node: [
            constant('a', {
              name: 'value',
              type: attributeCodes.tensor,
              t: raw('', 'int8', [1], Uint8Array.of(9)),
            }),
            constant('b', { name: 'value_float', type: attributeCodes.float, f: 0.5 }),
            constant('c', { name: 'value_ints', type: attributeCodes.ints, ints: [wide(-1), wide(4)] }),
            constant('d', { name: 'value_int', type: attributeCodes.int, i: wide(6) }),
            constant('e', { name: 'value_floats', type: attributeCodes.floats, floats: [1, 2] }),
            constant('f', { name: 'value_string', type: attributeCodes.string, s: Buffer.from('text') }),
            relu('x', 'y'),
          ],
        }),
      ),
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Relu']);
    const constants = [...graph.constants].map(([name, data]) => [
      name,
      data.type,
      data.dims,
      readNumbers(data),
    ]);
    expect(constants).toEqual([
      ['w', 'int8', [2], [1, 2]],
      ['a', 'int8', [1], [9]],
      ['b', 'float32', [], [0.5]],
      ['c', 'int64', [2], [-1, 4]],
      ['d', 'int64', [], [6]],
      ['e', 'float32', [2], [1, 2]],
    ]);
    const used = simple({
      node: [constant('f', { name: 'value_string', type: attributeCodes.string }), relu('f', 'y', 'reader')],
    });
    expect(importError(encode(used))).toMatchObject({
      code: 'ERR_ESPALIER_UNSUPPORTED',
      message: expect.stringMatching(/node reader/),
    });
  });

  it('makes sparse initializers dense', () => {
    const values = raw('w', 'float32', [2], new Uint8Array(Float32Array.of(5, 7).buffer));
    const flat = raw('', 'int64', [2], new Uint8Array(BigInt64Array.of(1n, 5n).buffer));
    const pairs = raw('', 'int64', [2, 2], new Uint8Array(BigInt64Array.of(0n, 1n, 1n, 2n).buffer));
    for (const indices of [flat, pairs]) {
      const graph = importOnnx(
        encode(simple({ sparse_initializer: [{ values, indices, dims: [wide(2), wide(3)] }] })),
      );
      const data = graph.constants.get('w');
      expect(data && [data.dims, readNumbers(data)]).toEqual([
        [2, 3],
        [0, 5, 0, 0, 0, 7],
      ]);
    }
    const outside = raw('', 'int64', [2], new Uint8Array(BigInt64Array.of(1n, 6n).buffer));
    const bytes = encode(
      simple({ sparse_initializer: [{ values, indices: outside, dims: [wide(2), wide(3)] }] }),
    );
    expect(importError(bytes).message).toMatch(/indices of sparse initializer "w" inside \[2, 3\], got 6/);
  });

  it('sorts nodes and names them', () => {
    const nodes = [relu('b', 'y', 'same'), relu('a', 'b'), relu('x', 'a', 'same')];
    const graph = importOnnx(encode(simple({ node: nodes })));
    expect(graph.nodes.map(({ name, inputs, outputs }) => [name, ...inputs, ...outputs])).toEqual([
      ['same_2', 'x', 'a'],
      ['Relu_1', 'a', 'b'],
      ['same', 'b', 'y'],
    ]);
  });

  it('imports and exports graphs inside nodes, which may use outer values', () => {
    const branch = (name: string): GraphProto => ({
      name,
      output: [value(name)],
      node: [relu('late', name)],
    });
    const node: NodeProto = {
      op_type: 'If',
      name: 'if',
      input: ['condition'],
      output: ['y'],
      attribute: ['then_branch', 'else_branch'].map((name) => ({
        name,
        type: attributeCodes.graph,
        g: branch(name),
      })),
    };
    const graph = importOnnx(
      encode(simple({ input: [value('x'), value('condition', 'bool')], node: [node, relu('x', 'late')] })),
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Relu', 'If']);
    expect(graph.nodes[1]?.attributes.get('then_branch')).toMatchObject({
      kind: 'graph',
      value: { name: 'then_branch' },
    });
    expect(importOnnx(exportOnnx(graph))).toEqual(graph);
  });

  it('reads a string attribute that holds nothing as an empty one', () => {
    const attribute = [{ name: 'mode', type: attributeCodes.string }];
    const bytes = encode(simple({ node: [{ ...relu('x', 'y'), attribute }] }));
    const graph = importOnnx(bytes, { name: 'm' });
    expect(graph.nodes[0]?.attributes.get('mode')).toEqual({ kind: 'string', value: '' });
    expect(importOnnx(exportOnnx(graph), { name: 'm' })).toEqual(graph);
  });
});

describe('exportOnnx', () => {
  it('keeps dims of 0', () => {
    const dims = [{ dim_value: wide(0) }, { dim_value: wide(3) }, { dim_param: 'n' }, {}];
    const type = { tensor_type: { elem_type: codeOfType.float32, shape: { dim: dims } } };
    const graph = importOnnx(encode(simple({ input: [{ name: 'x', type }] })), { name: 'm' });
    expect(graph.inputs[0]?.dims).toEqual([0, 3, 'n', '']);
    expect(importOnnx(exportOnnx(graph), { name: 'm' })).toEqual(graph);
  });

  it('keeps what a model says beyond its computation', () => {
    const props = (key: string) => [
      { key, value: 'one' },
      { key: '__proto__', value: 'two' },
    ];
    const model: ModelProto = {
      ir_version: wide(7),
      producer_name: 'maker',
      producer_version: '1.2',
      domain: 'org.example',
      model_version: wide(2n ** 40n),
      doc_string: 'a model',
      opset_import: [
        { domain: '', version: wide(13) },
        { domain: 'org.example', version: wide(2) },
      ],
      metadata_props: props('model'),
      training_info: [Uint8Array.of(10, 0)],
      functions: [Uint8Array.of(10, 1, 65)],
      graph: {
        name: 'g',
        doc_string: 'a graph',
        metadata_props: props('graph'),
        quantization_annotation: [Uint8Array.of(10, 1, 119)],
        input: [
          {
            name: 'x',
            doc_string: 'an input',
            metadata_props: props('x'),
            type: {
              denotation: 'IMAGE',
              tensor_type: {
                elem_type: 1,
                shape: { dim: [{ dim_param: 'n', denotation: 'DATA_BATCH' }, {}, { dim_value: wide(3) }] },
              },
            },
          },
        ],
        output: [{ name: 'y', type: { tensor_type: { elem_type: 1 } } }],
        initializer: [
          {
            ...raw('w', 'float32', [1], new Uint8Array(4)),
            doc_string: 'a weight',
            metadata_props: props('w'),
          },
        ],
        node: [
          {
            name: 'n',
            op_type: 'Custom',
            domain: 'org.example',
            overload: 'second',
            doc_string: 'a node',
            metadata_props: props('n'),
            input: ['x', '', 'w'],
            output: ['y'],
            attribute: [
              { name: 'f', type: attributeCodes.float, f: 0.25 },
              { name: 'i', type: attributeCodes.int, i: wide(-(2n ** 63n)) },
              { name: 's', type: attributeCodes.string, s: Buffer.from('grüße') },
              { name: 't', type: attributeCodes.tensor, t: raw('', 'int8', [2], Uint8Array.of(1, 2)) },
              { name: 'fs', type: attributeCodes.floats, floats: [1, 2] },
              { name: 'is', type: attributeCodes.ints, ints: [wide(1), wide(2n ** 63n - 1n)] },
              { name: 'none', type: attributeCodes.ints },
              { name: 'ss', type: attributeCodes.strings, strings: [Buffer.from('a'), Buffer.from('')] },
            ],
          },
        ],
      },
    };
    const graph = importOnnx(modelType.encode(model).finish());
    expect(graph.inputs).toEqual([{ name: 'x', type: 'float32', dims: ['n', '', 3] }]);
    expect(graph.outputs).toEqual([{ name: 'y', type: 'float32', dims: undefined }]);
    const exported = exportOnnx(graph);
    expect(importOnnx(exported)).toEqual(graph);
    // Field by field what went in: decoded, only the order of metadata keys and unset fields may differ.
    const plain = (bytes: Uint8Array) =>
      modelType.toObject(modelType.decode(bytes), { longs: String, bytes: String });
    expect(plain(exported)).toEqual(plain(modelType.encode(model).finish()));
  });

  it('lists initializers as inputs for models of IR version 3', () => {
    const graph = importOnnx(
      encode(simple({ initializer: [raw('w', 'float32', [1], new Uint8Array(4))] }), { ir_version: wide(3) }),
    );
    const exported = modelType.decode(exportOnnx(graph)) as ModelProto;
    expect(exported.graph?.input?.map(({ name }) => name)).toEqual(['x', 'w']);
    expect(importOnnx(exportOnnx(graph))).toEqual(graph);
  });
});

describe('readOnnx', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'espalier-onnx-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const outer = `${path.basename(folder)}-outside.bin`;
  writeFileSync(path.join(folder, 'w.bin'), Float32Array.of(1, 2, 3, 4));
  symlinkSync('/etc/hostname', path.join(folder, 'link.bin'));

  function writeModel(entries: Record<string, string>): string {
    const external = Object.entries(entries).map(([key, text]) => ({ key, value: text }));
    const tensor = { name: 'w', data_type: 1, dims: [wide(2)], data_location: 1, external_data: external };
    const file = path.join(folder, 'm.onnx');
    writeFileSync(file, encode(simple({ initializer: [tensor] })));
    return file;
  }

  it('reads external data', async () => {
    const graph = await readOnnx(writeModel({ location: 'w.bin', offset: '4', length: '8' }));
    const data = graph.constants.get('w');
    expect(data && readNumbers(data)).toEqual([2, 3]);
    expect(importOnnx(exportOnnx(graph))).toEqual(graph);
  });

  it.each([
    [{ location: '../w.bin' }, 'MODEL', /inside the model's folder, got location "\.\.\/w\.bin"/],
    [{ location: `../${outer}` }, 'MODEL', /inside the model's folder/],
    [{ location: '/etc/hostname' }, 'MODEL', /inside the model's folder/],
    [{ location: 'link.bin' }, 'MODEL', /inside the model's folder/],
    [{ location: '.' }, 'MODEL', /inside the model's folder/],
    [{ location: 'none.bin' }, 'FILE', /none\.bin/],
    [{ location: '' }, 'MODEL', /name the file/],
    [{ location: 'w.bin', offset: '12', length: '8' }, 'MODEL', /offset 12 and length 8/],
    [{ location: 'w.bin', offset: '32' }, 'MODEL', /length/],
    [{ location: 'w.bin', offset: '-4' }, 'MODEL', /offset .* got "-4"/],
    [{ location: 'w.bin', offset: '1e99' }, 'MODEL', /offset .* got "1e99"/],
    [{ location: 'w.bin' }, 'MODEL', /hold 8 bytes .* got 16/],
  ])('refuses %j', async (entries, code, message) => {
    await expect(readOnnx(writeModel(entries as Record<string, string>))).rejects.toMatchObject({
      code: `ERR_ESPALIER_${code}`,
      message: expect.stringMatching(message),
    });
  });

  it('names files that cannot be read', async () => {
    const missing = path.join(folder, 'missing.onnx');
    await expect(readOnnx(missing)).rejects.toMatchObject({
      code: 'ERR_ESPALIER_FILE',
      message: expect.stringContaining(missing),
    });
    await expect(readOnnx(folder)).rejects.toMatchObject({ code: 'ERR_ESPALIER_FILE' });
  });
});

/** Values as packed protobuf varints: seven bits a byte, lowest first, modulo 2^64. */
function varints(...values: bigint[]): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
      bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
      if (rest <= 127n) break;
    }
  }
  return Uint8Array.from(bytes);
}
