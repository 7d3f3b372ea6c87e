import { EspalierError } from '../errors.js';
import { nearest } from '../options.js';
import { InferenceSession as Session, type ValueMetadata as SessionValue } from '../session.js';
import { type DataType, type TensorDataMap, Tensor as Values } from '../tensor.js';
import type { InferenceSessionHandler, SessionHandler } from './backend.js';
import { bitsOf, tensorOf } from './cpu_tensor.js';
import type { InferenceSession } from './inference_session.js';
import { checkRunOptions, mapOptions } from './options.js';
import type { OnnxValue, Tensor } from './tensor.js';

/** @throws EspalierError (a rejection) what `InferenceSession.create` and {@link mapOptions} throw */
export async function createHandler(
  model: string | Uint8Array,
  options: unknown = {},
): Promise<InferenceSessionHandler> {
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

function metadata({ name, type, dims = [] }: SessionValue): InferenceSession.TensorValueMetadata {
  return { name, isTensor: true, type: type as Tensor.Type, shape: dims };
}

/** The outputs that `fetches` names: new tensors, or the given ones, which are then returned themselves. */
async function run(
  session: Session,
  feeds: SessionHandler.FeedsType,
  fetches: SessionHandler.FetchesType,
  options: unknown,
): Promise<SessionHandler.ReturnType> {
  if (options !== undefined) checkRunOptions(options);
  const given = Object.entries(fetches).filter((entry): entry is [string, OnnxValue] => entry[1] !== null);
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
      return [name, tensor ?? tensorOf(result)];
    }),
  );
}

/** Onnxruntime takes one element under any dims for a scalar, and programs feed `new Tensor('int64', [16000n])`. */
function scalarIf(declared: boolean, values: Values): Values {
  return declared && values.size === 1 ? new Values(values.type, values.data, []) : values;
}

function valuesOf(name: string, tensor: OnnxValue): Values {
  if (typeof tensor !== 'object' || tensor === null)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected a Tensor for "${name}", got ${typeof tensor}`);
  const { type, data, dims } = tensor;
  return new Values(type as DataType, bitsOf(type, data) as TensorDataMap[DataType], dims);
}
