import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exportOnnx, importOnnx } from '../../src/formats/onnx/index.js';
import { modelType, type TensorProto } from '../../src/formats/onnx/schema.js';
import { readTensor } from '../../src/formats/onnx/tensors.js';
import { type Graph, specialize, type TensorData, type ValueInfo } from '../../src/graph/index.js';
import { relativeError, runReference } from './support.js';

// The node tests of the ONNX project as Debian packages them (libonnx-testdata 1.12): model, inputs, outputs.
const folder = '/usr/share/libonnx-testdata/data/node';
const names = existsSync(folder) ? readdirSync(folder) : [];

/** Cases whose operator or type espalier supports; fewer would mean that something broke. */
const expectedCases = 460;

interface Case {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, TensorData>;
  readonly outputs: ReadonlyMap<string, TensorData>;
}

/** The case; undefined when it uses what is not supported, or stores bfloat16 as uint16, as version 1.12 does. */
function readCase(name: string): Case | undefined {
  try {
    const graph = importOnnx(readFileSync(`${folder}/${name}/model.onnx`), { name });
    const inputs = readTensors(name, 'input', graph.inputs);
    const outputs = readTensors(name, 'output', graph.outputs);
    const typed = [...graph.inputs, ...graph.outputs].every(
      (value) => (inputs.get(value.name) ?? outputs.get(value.name))?.type === value.type,
    );
    fold({ name, graph, inputs, outputs });
    return typed ? { name, graph, inputs, outputs } : undefined;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ESPALIER_UNSUPPORTED') return undefined;
    throw error;
  }
}

function readTensors(name: string, role: string, values: readonly ValueInfo[]): Map<string, TensorData> {
  const tensorType = modelType.root.lookupType('TensorProto');
  return new Map(
    values.map((value, i) => {
      const bytes = readFileSync(`${folder}/${name}/test_data_set_0/${role}_${i}.pb`);
      return [value.name, readTensor(tensorType.decode(bytes) as TensorProto, `${role}_${i}`)];
    }),
  );
}

/** The case with its inputs as constants, so that whatever can be computed beforehand is. */
function fold({ graph, inputs }: Case) {
  return specialize({ ...graph, inputs: [], constants: new Map([...graph.constants, ...inputs]) }, new Map());
}

function specializeCase({ graph, inputs }: Case) {
  try {
    return specialize(graph, new Map([...inputs].map(([name, { dims }]) => [name, dims])));
  } catch (error) {
    // Many cases feed shapes at run time; folding covers those.
    if (/run-time data/.test((error as Error).message)) return undefined;
    throw error;
  }
}

describe.skipIf(names.length === 0)('ONNX backend node tests', () => {
  const cases = names.flatMap((name) => readCase(name) ?? []);

  it(`reads at least ${expectedCases} of them`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(expectedCases);
  });

  it('infers their types and dims', () => {
    for (const test of cases) {
      for (const { name, type, dims } of fold(test).outputs) {
        const expected = test.outputs.get(name);
        expect([type, dims], test.name).toEqual([expected?.type, expected?.dims]);
      }
    }
  });

  it('computes constants as they say', () => {
    let count = 0;
    for (const test of cases) {
      const { outputs, constants } = fold(test);
      for (const { name } of outputs) {
        const actual = constants.get(name);
        const expected = test.outputs.get(name);
        if (actual === undefined || expected === undefined) continue;
        expect(relativeError(actual, expected), test.name).toBeLessThan(1e-6);
        count++;
      }
    }
    expect(count).toBeGreaterThan(390);
  });

  it('keeps them equal through export and import', () => {
    for (const { graph, name } of cases) expect(importOnnx(exportOnnx(graph)), name).toEqual(graph);
  });

  it('gives canonical forms that onnxruntime computes alike', async () => {
    let count = 0;
    for (const test of cases) {
      const graph = specializeCase(test);
      // onnxruntime has no 16-bit integer Min and Max, and no Pow with unsigned exponents.
      if (graph === undefined || /_(min|max)_u?int16$|pow_types_float32_uint|BFLOAT16/.test(test.name))
        continue;
      const results = await runReference(graph, Object.fromEntries(test.inputs));
      for (const [name, expected] of test.outputs) {
        const actual = results[name];
        expect(actual && relativeError(actual, expected), test.name).toBeLessThan(1e-5);
      }
      count++;
    }
    expect(count).toBeGreaterThan(330);
  });
});
