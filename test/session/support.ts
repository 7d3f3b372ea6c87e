import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { EspalierError } from '../../src/errors.js';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, type Graph, intValue, type Node } from '../../src/graph/index.js';
import { Tensor } from '../../src/index.js';

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Node['attributes'] = new Map(),
): Node => ({
  name: `${op}_${outputs[0]}`,
  op,
  domain: '',
  inputs,
  outputs,
  attributes,
});

/** y = relu(x W^T), x [batch, 48] with a symbolic batch, W [12, 48]. */
export function policyGraph(): Graph {
  const weights = Array.from({ length: 12 * 48 }, (_, i) => Math.sin(i));
  return {
    name: 'policy',
    inputs: [{ name: 'obs', type: 'float32', dims: ['batch', 48] }],
    outputs: [{ name: 'action', type: 'float32', dims: ['batch', 12] }],
    nodes: [
      node('Gemm', ['obs', 'weight'], ['product'], new Map([['transB', intValue(1)]])),
      node('Relu', ['product'], ['action']),
    ],
    constants: new Map([['weight', fromNumbers('float32', [12, 48], weights)]]),
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}

/** A network that takes long enough (some 50 ms) to be caught at work: 3x3 convolutions of 64 channels on 128 x 128. */
export function slowGraph(): Graph {
  const weights = Array.from({ length: 64 * 64 * 9 }, (_, i) => Math.sin(i) / 24);
  const layers = 6;
  return {
    name: 'slow',
    inputs: [{ name: 'x', type: 'float32', dims: [1, 64, 128, 128] }],
    outputs: [{ name: `y${layers - 1}`, type: 'float32', dims: [1, 64, 128, 128] }],
    nodes: Array.from({ length: layers }, (_, i) =>
      node('Conv', [i === 0 ? 'x' : `y${i - 1}`, 'weight'], [`y${i}`], new Map([['pads', pads]])),
    ),
    constants: new Map([['weight', fromNumbers('float32', [64, 64, 3, 3], weights)]]),
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}

const pads = { kind: 'ints', value: [1n, 1n, 1n, 1n] } as const;

export const policyModel = (): Uint8Array => exportOnnx(policyGraph());
export const slowModel = (): Uint8Array => exportOnnx(slowGraph());

export function observation(batch = 1, seed = 0): Tensor<'float32'> {
  const data = new Float32Array(batch * 48).map((_, i) => Math.cos(i + seed));
  return new Tensor('float32', data, [batch, 48]);
}

export function slowFeed(): { x: Tensor<'float32'> } {
  const data = new Float32Array(64 * 128 * 128).map((_, i) => Math.cos(i));
  return { x: new Tensor('float32', data, [1, 64, 128, 128]) };
}

/** What the policy gives for an observation, computed in double precision. */
export function expectedAction({ data, dims }: Tensor<'float32'>): number[] {
  const [batch = 0] = dims;
  return Array.from({ length: batch * 12 }, (_, at) => {
    const [row, output] = [Math.floor(at / 12), at % 12];
    let sum = 0;
    for (let i = 0; i < 48; i++) sum += (data[row * 48 + i] ?? 0) * Math.fround(Math.sin(output * 48 + i));
    return Math.max(0, sum);
  });
}

export function expectClose(actual: Tensor | undefined, expected: readonly number[]): void {
  expect(actual?.data.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(Number(actual?.data[i]) - value)).toBeLessThan(1e-4);
  });
}

/** Checks that `body` throws or rejects with an EspalierError of this code and a message like this. */
export async function expectError(
  body: () => unknown,
  code: EspalierError['code'],
  message: RegExp,
): Promise<void> {
  let error: unknown;
  try {
    await body();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(EspalierError);
  expect((error as EspalierError).code).toBe(code);
  expect((error as EspalierError).message).toMatch(message);
}

const distUrl = new URL('../../dist/index.js', import.meta.url);

/**
 * Runs an ES module in a process of its own, with `InferenceSession`, `Tensor` and `models` ({ policy, slow }: paths)
 * in scope.
 */
export function runScript(body: string, nodeArgs: readonly string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-session-'));
  try {
    const models = { policy: join(directory, 'policy.onnx'), slow: join(directory, 'slow.onnx') };
    writeFileSync(models.policy, policyModel());
    writeFileSync(models.slow, slowModel());
    const script = join(directory, 'script.mjs');
    const prelude = [
      `import { InferenceSession, Tensor } from ${JSON.stringify(distUrl.href)};`,
      `const models = ${JSON.stringify(models)};`,
      'const observation = new Tensor("float32", new Float32Array(48).fill(0.5), [1, 48]);',
      'const slowFeed = () => ({ x: new Tensor("float32", new Float32Array(64 * 128 * 128), [1, 64, 128, 128]) });',
    ];
    writeFileSync(script, [...prelude, body].join('\n'));
    return spawnSync(process.execPath, [...nodeArgs, script], { encoding: 'utf8', timeout: 30_000 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
