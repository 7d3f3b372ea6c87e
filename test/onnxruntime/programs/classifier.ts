// What TypeScript programs write for onnxruntime-node. It is compiled, with either package, and never run. The lines that
// must not compile keep the rest honest: a package whose types are missing takes them all.

import * as ort from 'onnxruntime-node';

const options: ort.InferenceSession.SessionOptions = { graphOptimizationLevel: 'all' };
options.intraOpNumThreads = 2;
options.executionMode = 'sequential';
options.freeDimensionOverrides = { batch: 1 };
options.externalData = ['weights.bin', { path: 'more.bin', data: new Uint8Array(4) }];
// @ts-expect-error: not a level
options.graphOptimizationLevel = 'most';

const gpu: ort.InferenceSession.CudaExecutionProviderOption = { name: 'cuda', deviceId: 1 };
const providers: ort.InferenceSession.ExecutionProviderConfig[] = [gpu, { name: 'coreml' }, 'cpu'];
options.executionProviders = [...providers, { name: 'cpu', useArena: false }];
const runOptions: ort.InferenceSession.RunOptions = {};
runOptions.terminate = false;

ort.env.logLevel = 'error';
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: '/ort.wasm' };
ort.env.debug = ort.env.versions.node === undefined;
// @ts-expect-error: not a level
ort.env.logLevel = 'loud';

export class Classifier {
  readonly #session: ort.InferenceSession;
  #state: ort.Tensor = new ort.Tensor('float32', new Float32Array(8), [1, 8]);

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async open(model: string | Uint8Array): Promise<Classifier> {
    const load: typeof ort.InferenceSession.create = ort.InferenceSession.create;
    const session =
      typeof model === 'string' ? await load(model, options) : await ort.InferenceSession.create(model);
    return new Classifier(session);
  }

  async classify(pixels: Uint8Array, rate: bigint): Promise<number[]> {
    const feeds: Record<string, ort.Tensor> = {
      pixels: new ort.Tensor('uint8', pixels, [1, pixels.length]),
      rate: new ort.Tensor('int64', [rate]),
      mask: new ort.Tensor('bool', [true, false], [2]),
    };
    feeds['state'] = this.#state;
    const results: ort.InferenceSession.OnnxValueMapType = await this.#session.run(feeds, runOptions);
    const some: ort.InferenceSession.ReturnType = await this.#session.run(feeds, ['scores'], { tag: 'a' });
    const { scores } = await this.#session.run(feeds, { scores: null }, { logSeverityLevel: 0 });
    this.#state = results['state'] ?? this.#state;
    await scores?.getData();
    return Array.from((some['scores'] ?? this.#state).data as Float32Array);
  }

  describe(): string[] {
    return this.#session.inputMetadata.map((value: ort.InferenceSession.ValueMetadata) => {
      if (!value.isTensor) return value.name;
      const { shape, type }: ort.InferenceSession.TensorValueMetadata = value;
      return `${value.name}: ${type} [${shape.map((dim) => (typeof dim === 'string' ? dim : dim.toFixed()))}]`;
    });
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

/** A session around a session, for tests of programs. */
export class Counted implements ort.InferenceSession {
  runs = 0;
  readonly inputNames: readonly string[] = ['x'];
  readonly outputNames: readonly string[] = ['y'];
  readonly inputMetadata: readonly ort.InferenceSession.ValueMetadata[] = [];
  readonly outputMetadata: readonly ort.InferenceSession.ValueMetadata[] = [];
  constructor(readonly inner: ort.InferenceSession) {}
  async run(feeds: ort.InferenceSession.FeedsType): Promise<ort.InferenceSession.ReturnType> {
    this.runs++;
    return this.inner.run(feeds);
  }
  async release(): Promise<void> {}
  startProfiling(): void {}
  endProfiling(): void {}
}

const bytesPerElement: Record<ort.Tensor.Type, number> = {
  bool: 1,
  float16: 2,
  float32: 4,
  float64: 8,
  int4: 0.5,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  string: 0,
  uint4: 0.5,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
};

export function byteLength(value: ort.OnnxValue): number {
  if (value.type === 'string') return (value.data as string[]).join('').length;
  return value.size * bytesPerElement[value.type];
}

export function firstElement(tensor: ort.Tensor): ort.Tensor.ElementTypeMap['float32' | 'int64'] {
  const { data } = tensor.reshape([tensor.size]);
  if (data instanceof BigInt64Array) return data[0] ?? 0n;
  return data instanceof Float32Array ? (data[0] ?? 0) : 0;
}

export function tensorOf(type: ort.Tensor.Type, data: ort.Tensor.DataType, dims: number[]): ort.Tensor {
  return new ort.Tensor(type, data, dims);
}

export const ids: ort.TypedTensor<'int64'> = new ort.Tensor('int64', [101, 102], [1, 2]);
export const halves: ort.TypedTensor<'float16'> = new ort.Tensor('float16', new Uint16Array(2), [2]);
export const texts: ort.TypedTensor<'string'> = new ort.Tensor('string', ['a'], [1]);
export const words = new ort.Tensor(['a', 'b']).data.join();
export const sum = new ort.Tensor(Float32Array.of(1, 2)).data.reduce((a, b) => a + b);
export const large = ids.data.map((id) => id + 1n);
export const place: ort.Tensor.DataLocation = ids.location;
export const pinned = ort.Tensor.fromPinnedBuffer('float32', new Float32Array(4), [4]).data.length;
// @ts-expect-error: floats are no integers of 64 bits
export const wrong: ort.TypedTensor<'int64'> = new ort.Tensor('float32', [1]);
// @ts-expect-error: no such type
export const unknown = new ort.Tensor('float', [1]);

export async function openParts(buffer: ArrayBuffer): Promise<ort.InferenceSession[]> {
  const factory: ort.InferenceSessionFactory = ort.InferenceSession;
  const bytes = Buffer.from(buffer);
  return [
    await factory.create(buffer, options),
    await factory.create(buffer, 16, 32, options),
    await ort.InferenceSession.create(bytes.buffer, bytes.byteOffset),
    // @ts-expect-error: no model
    await ort.InferenceSession.create(5),
  ];
}

export async function openBy(backend: ort.Backend): Promise<ort.InferenceSessionHandler> {
  ort.registerBackend('own', backend, 10);
  await backend.init(ort.listSupportedBackends().map(({ name }) => name)[0] ?? 'own');
  return backend.createInferenceSessionHandler('model.onnx', options);
}
