import { expect } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession } from '../../src/index.js';
import { type AgreementOptions, compareAll, type Model, runOnnxruntime } from '../operators/support.js';

/** The native operators that a model's plan runs, in order, once its outputs agree with onnxruntime's. */
export async function stepsThatAgree(model: Model, options: AgreementOptions = {}): Promise<string[]> {
  const bytes = exportOnnx(model.graph());
  const session = await InferenceSession.create(bytes, options.session ?? { threads: 1 });
  try {
    const expected = await runOnnxruntime(bytes, model.feeds);
    expect(compareAll(session.runSync(model.feeds), expected, options)).toEqual([]);
    return session.profile(model.feeds).map(({ op }) => op);
  } finally {
    session.release();
  }
}
