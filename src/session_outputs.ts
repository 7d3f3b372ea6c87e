import { EspalierError, type EspalierErrorCode } from './errors.js';
import { nearest } from './options.js';
import type { LoadedPlan } from './session_plans.js';
import { bytesPerElement, elementCount, Tensor, type TensorMap, typedArrayOf } from './tensor.js';

export interface RunOptions {
  /**
   * Tensors that outputs are written to, by name: of the output's type and dims, in memory that no feed and no other
   * output uses. Outputs that are not named get new tensors. New memory costs a run more than a small layer does,
   * so a control loop gives every run the same tensors.
   * A cache that the model appends to or writes into may lie where the feed does that it comes from, at the same
   * address: `runSync` then writes what is new and copies nothing. docs/decoding.md shows it.
   */
  readonly outputs?: TensorMap;
}

/**
 * A tensor for each output of a plan: the given one, or a new one.
 * @param inputs the arrays that the run reads
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _TYPE, _SHAPE, _MEMORY
 */
export function provideOutputs(
  plan: LoadedPlan,
  options: RunOptions,
  inputs: readonly Tensor['data'][],
): Tensor[] {
  const given = givenOutputs(plan, options);
  if (given === undefined) return allocate(() => plan.outputs.map(newTensor));
  const used = inputs.filter(({ length }) => length > 0).map(({ buffer }) => buffer);
  return plan.outputs.map((output, i) => {
    const tensor = Object.hasOwn(given, output.name) ? given[output.name] : undefined;
    if (tensor === undefined) return allocate(() => newTensor(output));
    checkOutput(output, tensor);
    const cache = inputs[plan.inPlace.find((place) => place.output === i)?.input ?? -1];
    const isInPlace = cache?.buffer === tensor.data.buffer && cache.byteOffset === tensor.data.byteOffset;
    if (used.filter((buffer) => buffer === tensor.data.buffer).length > (isInPlace ? 1 : 0)) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected output "${output.name}" in memory of its own, got that of a feed or of another output`,
      );
    }
    used.push(tensor.data.buffer);
    return tensor;
  });
}

function givenOutputs(plan: LoadedPlan, options: RunOptions): TensorMap | undefined {
  const keys = typeof options === 'object' && options !== null ? Object.keys(options) : undefined;
  const unknown = keys?.find((key) => key !== 'outputs');
  if (keys === undefined || unknown !== undefined) {
    const got = keys === undefined ? String(options) : `unknown key "${unknown}"`;
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected run options to be { outputs }, got ${got}`);
  }
  const { outputs } = options;
  if (outputs === undefined) return undefined;
  if (typeof outputs !== 'object' || outputs === null) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected outputs to be an object of tensors, got ${String(outputs)}`,
    );
  }
  const names = plan.outputs.map(({ name }) => name);
  for (const name of Object.keys(outputs)) {
    if (names.includes(name)) continue;
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `"${name}" is not an output of the model: ${nearest(name, names)}`,
    );
  }
  return outputs;
}

type PlannedOutput = LoadedPlan['outputs'][number];

function checkOutput({ name, type, dims }: PlannedOutput, tensor: Tensor): void {
  const refuse = (code: EspalierErrorCode, got: string) =>
    new EspalierError(code, `Expected output "${name}" to be ${type} [${dims.join(', ')}], got ${got}`);
  if (typeof tensor !== 'object' || tensor === null || !Array.isArray(tensor.dims))
    throw refuse('ERR_ESPALIER_ARGUMENT', 'no Tensor');
  const got = `${tensor.type} [${tensor.dims.join(', ')}]`;
  if (tensor.type !== type || !(tensor.data instanceof typedArrayOf[type]))
    throw refuse('ERR_ESPALIER_TYPE', got);
  const fits = tensor.dims.length === dims.length && dims.every((dim, axis) => dim === tensor.dims[axis]);
  if (!fits) throw refuse('ERR_ESPALIER_SHAPE', got);
  if (tensor.data.length !== elementCount(dims))
    throw refuse('ERR_ESPALIER_SHAPE', `${got} with ${tensor.data.length} elements`);
}

/**
 * New memory for the run of a thread, which the caller cannot detach or shrink under it, as it can its own.
 * `deliver` copies what came out to the given tensors.
 * @throws EspalierError (deliver) ERR_ESPALIER_ARGUMENT when a given tensor has lost its memory meanwhile
 */
export function stageOutputs(plan: LoadedPlan, given: readonly Tensor[]) {
  const staged = allocate(() => plan.outputs.map(newTensor));
  const deliver = () => {
    for (const [i, { name }] of plan.outputs.entries()) {
      const [from, to] = [staged[i] as Tensor, given[i] as Tensor];
      if (to.data.length !== from.data.length) {
        throw new EspalierError(
          'ERR_ESPALIER_ARGUMENT',
          `Expected output "${name}" to keep its ${from.data.length} elements during the run, got ${to.data.length}`,
        );
      }
      (to.data as Float32Array).set(from.data as Float32Array);
    }
  };
  return { staged, deliver };
}

/** A tensor of zeros for an output of a plan. */
export function newTensor({ type, dims }: PlannedOutput): Tensor {
  const bytes = new ArrayBuffer(elementCount(dims) * bytesPerElement[type]);
  return new Tensor(type, new typedArrayOf[type](bytes), dims);
}

/** JavaScript says by a RangeError that it has no memory for an array. */
export function allocate<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new EspalierError(
      'ERR_ESPALIER_MEMORY',
      `Expected memory for inputs and outputs: ${cause.message}`,
      { cause },
    );
  }
}
