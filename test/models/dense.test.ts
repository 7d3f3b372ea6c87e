import { describe, expect, it } from 'vitest';
import { tolerance } from '../../bench/lib/compare.mjs';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { InferenceSession } from '../../src/index.js';
import { largestError, runEspalier, runOnnxruntime, runSession } from './support.js';

describe.each(models)('$id', (model) => {
  const path = modelPath(model);

  it.each([model.dims, ...model.otherDims])('agrees with onnxruntime on %j', async (...dims) => {
    const expected = await runOnnxruntime(path, model, dims);
    const actual = await runEspalier(path, model, dims);
    expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
  });

  it('gives the same outputs with two threads as with one', async () => {
    const one = await runEspalier(path, model, model.dims, { threads: 1 });
    const two = await runEspalier(path, model, model.dims, { threads: 2 });
    expect(largestError(one, two)).toBeLessThanOrEqual(tolerance);
  });

  it('gives the same outputs again in the same session, also after a run of other dims', async () => {
    const session = await InferenceSession.create(path);
    const first = await runSession(session, model, model.dims);
    for (const dims of model.otherDims) await runSession(session, model, dims);
    const again = await runSession(session, model, model.dims);
    session.release();
    expect(again).toEqual(first);
  });
});
