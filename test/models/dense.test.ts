import { describe, expect, it } from 'vitest';
import { largestError, tolerance } from '../../bench/lib/compare.mjs';
import { modelPath, models } from '../../bench/lib/models.mjs';
import { InferenceSession } from '../../src/index.js';
import { runEspalier, runOnnxruntime, runSession } from './support.js';

describe.each(models)('$id', (model) => {
  const path = modelPath(model);

  it.each([model.dims, ...model.otherDims].map((dims) => ({ dims })))(
    'agrees with onnxruntime on $dims, with one thread and with two',
    async ({ dims }) => {
      const expected = await runOnnxruntime(path, model, dims);
      for (const threads of [1, 2]) {
        const actual = await runEspalier(path, model, dims, { threads });
        expect(largestError(expected, actual)).toBeLessThanOrEqual(tolerance);
      }
    },
  );

  it('gives the same bits again in the same session, also after a run of other dims', async () => {
    const session = await InferenceSession.create(path, { threads: 2 });
    const first = await runSession(session, model, model.dims);
    for (const dims of model.otherDims) await runSession(session, model, dims);
    const again = await runSession(session, model, model.dims);
    session.release();
    expect(Object.keys(again)).toEqual(Object.keys(first));
    expect(largestError(first, again)).toBe(0);
  });
});
