/**
 * A float32 tensor as plain data, which can cross to another process.
 * @typedef {{ readonly data: Float32Array, readonly dims: readonly number[] }} Values
 * @typedef {Readonly<Record<string, Values>>} ValuesByName
 *
 * Which engine runs which file, and how.
 * @typedef {object} EngineOptions
 * @property {'espalier' | 'onnxruntime'} engine
 * @property {string} model path of an .onnx file
 * @property {number} [threads] default 1
 * @property {string} [isa] espalier only: an instruction set other than the best one
 * @property {boolean} [optimise] onnxruntime only: false turns its graph optimisations off
 *
 * An open model with its feeds bound, so that `run` is nothing but the run.
 * @typedef {object} Engine
 * @property {() => unknown} run runs once; returns a promise where the engine's API does
 * @property {() => Promise<ValuesByName>} outputs runs once and returns what came out
 * @property {() => readonly LayerFormat[]} layers how layers with weights run; empty where the engine does not say
 * @property {() => Promise<void>} close
 *
 * @typedef {{ readonly name: string, readonly format: string, readonly reason: string }} LayerFormat
 */

/**
 * @param {EngineOptions} options
 * @param {ValuesByName} feeds
 * @returns {Promise<Engine>}
 */
export function openEngine(options, feeds) {
  return options.engine === 'espalier' ? openEspalier(options, feeds) : openOnnxruntime(options, feeds);
}

/**
 * espalier through its compiled package, by `runSync`: what a control loop calls.
 * @param {EngineOptions} options
 * @param {ValuesByName} feeds
 * @returns {Promise<Engine>}
 */
async function openEspalier({ model, threads = 1, isa }, feeds) {
  const { InferenceSession, Tensor } = await import('../../dist/index.js');
  const options = isa === undefined ? { threads } : { threads, isa: /** @type {'scalar'} */ (isa) };
  const session = await InferenceSession.create(model, options);
  const tensors = mapValues(feeds, ({ data, dims }) => new Tensor('float32', data, dims));
  const outputs = session.runSync(tensors); // every run writes to the same tensors, as a control loop would
  const run = () => session.runSync(tensors, { outputs });
  return {
    run,
    outputs: async () => mapValues(run(), toValues),
    layers: () => explainLayers(session, tensors),
    close: async () => session.release(),
  };
}

/**
 * How espalier runs each layer with weights: the one place that asks a session about itself.
 * @param {import('../../dist/index.js').InferenceSession} session
 * @param {import('../../dist/index.js').TensorMap} tensors
 * @returns {LayerFormat[]}
 */
function explainLayers(session, tensors) {
  return session.explain(tensors).map(({ name, format, reason }) => ({ name, format, reason }));
}

/**
 * onnxruntime-node with all its graph optimisations, `threads` threads, and no spinning, so that it does not take the
 * CPU from the engine whose turn is next.
 * @param {EngineOptions} options
 * @param {ValuesByName} feeds
 * @returns {Promise<Engine>}
 */
async function openOnnxruntime({ model, threads = 1, optimise = true }, feeds) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: optimise ? 'all' : 'disabled',
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const tensors = mapValues(feeds, ({ data, dims }) => new Tensor('float32', data, dims));
  const outputs = await session.run(tensors);
  const run = () => session.run(tensors, outputs);
  return {
    run,
    outputs: async () => mapValues(await run(), toValues),
    layers: () => [],
    close: () => session.release(),
  };
}

/**
 * @param {{ readonly data: unknown, readonly dims: readonly number[] }} tensor
 * @returns {Values}
 */
function toValues({ data, dims }) {
  if (!(data instanceof Float32Array)) throw new Error('Expected an output of float32');
  return { data: Float32Array.from(data), dims: [...dims] };
}

/**
 * @template T, R
 * @param {Readonly<Record<string, T>>} record
 * @param {(value: T) => R} change
 * @returns {Record<string, R>}
 */
function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
