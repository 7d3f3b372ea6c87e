import { EspalierError } from '../errors.js';
import { nearest } from '../options.js';
import { InferenceSession as Session, type ValueMetadata as SessionValue } from '../session.js';
import { type DataType, type TensorDataMap, Tensor as Values } from '../tensor.js';
import { mapOptions } from './options.js';
import { bitsOf, type Tensor, tensorOf } from './tensor.js';
import type { TensorType } from './tensor_types.js';

/** As in onnxruntime-common; espalier's values are all tensors. */
export interface ValueMetadata {
  readonly name: string;
  readonly isTensor: true;
  readonly type: TensorType;
  /** Numbers, and names of symbolic dims; empty when even the rank is unknown. */
  readonly shape: readonly (number | string)[];
}

/** Options of one run, all accepted; a run that is asked to terminate rejects. */
export interface RunOptions {
  readonly logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
  readonly logVerbosityLevel?: number;
  readonly terminate?: boolean;
  readonly tag?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Any tensor of onnxruntime-common, of whichever package. */
export interface AnyTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** A session as onnxruntime-common's backends give it. */
export interface SessionHandler {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  run<T extends AnyTensor>(
    feeds: Readonly<Record<string, T>>,
    fetches: Readonly<Record<string, T | null>>,
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
  startProfiling(): void;
  endProfiling(): void;
}

/** @throws EspalierError (a rejection) what `InferenceSession.create` and {@link mapOptions} throw */
export async function createHandler(
  model: string | Uint8Array,
  options: unknown = {},
): Promise<SessionHandler> {
  const session = await Session.create(model, mapOptions(options));
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    inputMetadata: session.inputMetadata.map(metadata),
    outputMetadata: session.outputMetadata.map(metadata),
    run: (feeds, fetches, runOptions) => run(session, feeds, fetches, runOptions),
    dispose: async () => session.release(),
    startProfiling: () => {},
    endProfiling: () => {},
  };
}

function metadata({ name, type, dims = [] }: SessionValue): ValueMetadata {
  return { name, isTensor: true, type: type as TensorType, shape: dims };
}

/** The outputs that `fetches` names: new tensors, or the given ones, which are then returned themselves. */
async function run(
  session: Session,
  feeds: Readonly<Record<string, AnyTensor>>,
  fetches: Readonly<Record<string, AnyTensor | null>>,
  options: RunOptions = {},
): Promise<Record<string, Tensor>> {
  if (options.terminate === true)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', 'Expected a run that goes on, got terminate: true');
  const given = Object.entries(fetches).filter((entry): entry is [string, AnyTensor] => entry[1] !== null);
  const outputs = Object.fromEntries(given.map(([name, tensor]) => [name, valuesOf(name, tensor)]));
  // Feeds of names that are no inputs are passed over, as onnxruntime-common does.
  const inputs = Object.fromEntries(
    session.inputMetadata.flatMap(({ name, dims }) => {
      const feed = feeds[name];
      return feed === undefined ? [] : [[name, scalarIf(dims?.length === 0, valuesOf(name, feed))]];
    }),
  );
  const results = await session.run(inputs, given.length === 0 ? {} : { outputs });
  return Object.fromEntries(
    Object.entries(fetches).map(([name, tensor]) => {
      const result = results[name];
      if (result === undefined) {
        throw new EspalierError(
          'ERR_ESPALIER_ARGUMENT',
          `"${name}" is not an output of the model: ${nearest(name, session.outputNames)}`,
        );
      }
      return [name, tensor === null ? tensorOf(result) : (tensor as Tensor)];
    }),
  );
}

/** Onnxruntime takes one element under any dims for a scalar, and programs feed `new Tensor('int64', [16000n])`. */
function scalarIf(declared: boolean, values: Values): Values {
  return declared && values.size === 1 ? new Values(values.type, values.data, []) : values;
}

function valuesOf(name: string, tensor: AnyTensor): Values {
  if (typeof tensor !== 'object' || tensor === null)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected a Tensor for "${name}", got ${typeof tensor}`);
  const { type, data, dims } = tensor;
  return new Values(type as DataType, bitsOf(type, data) as TensorDataMap[DataType], dims);
}
