// A program that hands values of one package to the other: their types are each other's. It is compiled and never run.

import * as own from 'espalier/onnxruntime';
import * as ort from 'onnxruntime-node';

ort.registerBackend('espalier', own.espalierBackend, -1);

export function toOrt(
  session: own.InferenceSession,
  tensor: own.Tensor,
  typed: own.TypedTensor<'float32'>,
  options: own.InferenceSession.SessionOptions,
  runOptions: own.InferenceSession.RunOptions,
  results: own.InferenceSession.ReturnType,
  handler: own.InferenceSessionHandler,
  metadata: own.InferenceSession.ValueMetadata,
) {
  const values: [
    ort.InferenceSession,
    ort.Tensor,
    ort.TypedTensor<'float32'>,
    ort.InferenceSession.SessionOptions,
    ort.InferenceSession.RunOptions,
    ort.InferenceSession.ReturnType,
    ort.InferenceSessionHandler,
    ort.InferenceSession.ValueMetadata,
  ] = [session, tensor, typed, options, runOptions, results, handler, metadata];
  return values;
}

export function toOwn(
  session: ort.InferenceSession,
  tensor: ort.Tensor,
  typed: ort.TypedTensor<'float32'>,
  options: ort.InferenceSession.SessionOptions,
  runOptions: ort.InferenceSession.RunOptions,
  results: ort.InferenceSession.ReturnType,
  handler: ort.InferenceSessionHandler,
  metadata: ort.InferenceSession.ValueMetadata,
) {
  const values: [
    own.InferenceSession,
    own.Tensor,
    own.TypedTensor<'float32'>,
    own.InferenceSession.SessionOptions,
    own.InferenceSession.RunOptions,
    own.InferenceSession.ReturnType,
    own.InferenceSessionHandler,
    own.InferenceSession.ValueMetadata,
  ] = [session, tensor, typed, options, runOptions, results, handler, metadata];
  return values;
}

/** What a library that takes the package as an argument asks for; it leaves out the functions that write traces. */
export const whole: Omit<typeof ort, `TRACE${string}` | 'default'> = own;
export const byDefault: Omit<typeof ort, `TRACE${string}` | 'default'> = own.default;
// @ts-expect-error: text is no tensor
export const wrong: own.Tensor = 'text';
