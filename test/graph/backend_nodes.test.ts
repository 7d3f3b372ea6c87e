import { describe, expect, it } from 'vitest';
import { exportOnnx, importOnnx } from '../../src/formats/onnx/index.js';
import { type Graph, specialize } from '../../src/graph/index.js';
import { type Case, caseNames, fold, readCase } from './backend.js';
import { relativeError, runReference } from './support.js';

/** Cases whose operator or type espalier supports; fewer would mean that something broke. */
const expectedCases = 755;

function specializeCase({ graph, inputs }: Case) {
  try {
    return specialize(graph, new Map([...inputs].map(([name, { dims }]) => [name, dims])));
  } catch (error) {
    // Many cases feed shapes at run time; folding covers those.
    if (/run-time data|depends on the values/.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** What onnxruntime computes; undefined for forms and types that it has no implementation of. */
async function tryReference(graph: Graph, inputs: Case['inputs']) {
  try {
    return await runReference(graph, Object.fromEntries(inputs));
  } catch (error) {
    if (/Could not find an implementation|not supported/.test((error as Error).message)) return undefined;
    throw error;
  }
}

describe.skipIf(caseNames.length === 0)('ONNX backend node tests', () => {
  const cases = caseNames.flatMap((name) => readCase(name) ?? []);

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
    expect(count).toBeGreaterThan(640);
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
      const results = await tryReference(graph, test.inputs);
      if (results === undefined) continue;
      for (const [name, expected] of test.outputs) {
        const actual = results[name];
        expect(actual && relativeError(actual, expected), test.name).toBeLessThan(1e-5);
      }
      count++;
    }
    expect(count).toBeGreaterThan(610);
  });
});
