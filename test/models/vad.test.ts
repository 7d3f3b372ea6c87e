import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { InferenceSession, Tensor } from '../../src/index.js';
import { randomNumbers } from '../graph/support.js';

const folder = join(fileURLToPath(new URL('../../node_modules', import.meta.url)), '@ricky0123/vad-web/dist');

/** Silero's detectors of speech: an If on the sampling rate around convolutions and an LSTM whose state is fed back. */
const models = [
  { file: 'silero_vad_legacy.onnx', samples: 512, states: { h: ['hn', 2, 1, 64], c: ['cn', 2, 1, 64] } },
  { file: 'silero_vad_v5.onnx', samples: 512, states: { state: ['stateN', 2, 1, 128] } },
  { file: 'silero_vad_v6.onnx', samples: 512, states: { state: ['stateN', 2, 1, 128] } },
] as const;

type State = readonly [output: string, ...dims: number[]];
const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

/** A tone that changes its pitch and loudness, with noise: what a detector's state follows. */
function sound(frame: number, samples: number, rate: number): Float32Array {
  const random = randomNumbers(frame + 1);
  return Float32Array.from({ length: samples }, (_, i) => {
    const time = (frame * samples + i) / rate;
    const pitch = 120 + 60 * Math.sin(time * 5);
    return 0.4 * Math.sin(time * 9) * Math.sin(2 * Math.PI * pitch * time) + 0.05 * (random() - 0.5);
  });
}

/** Runs a step of one engine: feeds in, outputs by name. */
type Step = (feeds: Record<string, Tensor>) => Promise<Record<string, Values>>;
type Values = { readonly data: Float32Array; readonly dims: readonly number[] };

/** The outputs of every frame, each state that comes out fed to the next one. */
async function follow(step: Step, rate: number, samples: number, states: Readonly<Record<string, State>>) {
  const feeds: Record<string, Tensor> = { sr: new Tensor('int64', [BigInt(rate)], []) };
  for (const [name, [, ...dims]] of Object.entries(states))
    feeds[name] = new Tensor('float32', new Float32Array(count(dims)), dims);
  const results: Record<string, Values>[] = [];
  for (let frame = 0; frame < 25; frame++) {
    const outputs = await step({
      ...feeds,
      input: new Tensor('float32', sound(frame, samples, rate), [1, samples]),
    });
    results.push(outputs);
    for (const [name, [output]] of Object.entries(states)) {
      const { data, dims } = outputs[output] as Values;
      feeds[name] = new Tensor('float32', data, dims);
    }
  }
  return results;
}

async function openReference(path: string): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(path, { logSeverityLevel: 4, intraOpNumThreads: 1 });
}

describe.each(models)('$file', ({ file, samples, states }) => {
  it.each([16000, 8000])('follows a sound of %i Hz as onnxruntime does, its state fed back', async (rate) => {
    const path = join(folder, file);
    const [espalier, reference] = [await InferenceSession.create(path), await openReference(path)];
    const length = rate === 8000 ? samples / 2 : samples;
    const own: Step = async (feeds) => espalier.runSync(feeds) as unknown as Record<string, Values>;
    const other: Step = async (feeds) => {
      const tensors = Object.entries(feeds).map(
        ([name, { type, data, dims }]) =>
          [name, new ort.Tensor(type as 'float32', data as Float32Array, dims)] as const,
      );
      return (await reference.run(Object.fromEntries(tensors))) as unknown as Record<string, Values>;
    };
    const actual = await follow(own, rate, length, states);
    const expected = await follow(other, rate, length, states);
    for (const [frame, outputs] of expected.entries()) {
      for (const [name, { data, dims }] of Object.entries(outputs)) {
        const got = actual[frame]?.[name];
        expect(got?.dims, name).toEqual(dims);
        data.forEach((value, i) => {
          expect(Math.abs(value - (got?.data[i] ?? Number.NaN))).toBeLessThan(1e-4);
        });
      }
    }
    expect(new Set(actual.map(({ output }) => output?.data[0])).size).toBe(actual.length); // it does follow
    espalier.release();
    await reference.release();
  });
});
