import { EspalierError } from '../errors.js';
import {
  type AnyTensor,
  createHandler,
  type ValueMetadata as Metadata,
  type RunOptions as RunSettings,
  type SessionHandler,
} from './handler.js';
import type { SessionOptions as Options } from './options.js';
import type { Tensor } from './tensor.js';

type Feeds = Readonly<Record<string, AnyTensor>>;
type Fetches = readonly string[] | Readonly<Record<string, AnyTensor | null>>;
type Results = Readonly<Record<string, Tensor>>;

/** A session with the factory and members of onnxruntime-common's, which runs on espalier. */
export class InferenceSession {
  readonly #handler: SessionHandler;

  private constructor(handler: SessionHandler) {
    this.#handler = handler;
  }

  /**
   * Loads a model from a path, or from bytes; `byteOffset` and `byteLength` take a part of a buffer.
   * @throws EspalierError (a rejection) as `InferenceSession.create` of `espalier`
   */
  static create(path: string, options?: Options): Promise<InferenceSession>;
  static create(bytes: Uint8Array | ArrayBufferLike, options?: Options): Promise<InferenceSession>;
  static create(
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength?: number,
    options?: Options,
  ): Promise<InferenceSession>;
  static async create(model: unknown, ...rest: unknown[]): Promise<InferenceSession> {
    const numbers = rest.filter((value) => typeof value === 'number');
    const [options = {}, ...others] = rest.slice(numbers.length).filter((value) => value !== undefined);
    if (typeof options !== 'object' || options === null || others.length > 0) throw wrong('options', options);
    return new InferenceSession(await createHandler(modelOf(model, numbers), options));
  }

  get inputNames(): readonly string[] {
    return this.#handler.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#handler.outputNames;
  }

  get inputMetadata(): readonly Metadata[] {
    return this.#handler.inputMetadata;
  }

  get outputMetadata(): readonly Metadata[] {
    return this.#handler.outputMetadata;
  }

  /**
   * Runs the model on a thread of its own. `fetches` names the outputs to return, or gives tensors that they are written
   * to; all are returned without it.
   * @throws EspalierError (a rejection) as `run` of `espalier`
   */
  run(feeds: Feeds, options?: RunSettings): Promise<Results>;
  run(feeds: Feeds, fetches: Fetches, options?: RunSettings): Promise<Results>;
  async run(feeds: Feeds, second?: Fetches | RunSettings, third?: RunSettings): Promise<Results> {
    if (typeof feeds !== 'object' || feeds === null) throw wrong('feeds by name', feeds);
    if (second === null || (second !== undefined && typeof second !== 'object'))
      throw wrong('fetches or options', second);
    if (Array.isArray(second)) {
      if (second.length === 0) throw wrong('at least one name of an output', second);
      return this.#handler.run(feeds, Object.fromEntries(second.map((name) => [name, null])), third);
    }
    const given = this.outputNames.filter((name) =>
      isFetch((second as Record<string, unknown> | undefined)?.[name]),
    );
    // As in onnxruntime-common: an object is one of fetches when it has an output's name, else one of options.
    if (given.length > 0) {
      const fetches = second as Readonly<Record<string, AnyTensor | null>>;
      return this.#handler.run(
        feeds,
        Object.fromEntries(given.map((name) => [name, fetches[name] ?? null])),
        third,
      );
    }
    const all = Object.fromEntries(this.outputNames.map((name) => [name, null]));
    return this.#handler.run(feeds, all, second as RunSettings | undefined);
  }

  async release(): Promise<void> {
    await this.#handler.dispose();
  }

  /** Does nothing, as in onnxruntime-node. */
  startProfiling(): void {}

  endProfiling(): void {}
}

/** The types that onnxruntime-common keeps under the same names. */
export namespace InferenceSession {
  export type SessionOptions = Options;
  export type RunOptions = RunSettings;
  export type ValueMetadata = Metadata;
  export type OnnxValueMapType = Results;
  export type FeedsType = Feeds;
  export type FetchesType = Fetches;
  export type ReturnType = Results;
}

function isFetch(value: unknown): boolean {
  return value === null || (typeof value === 'object' && 'dims' in value);
}

function modelOf(model: unknown, [byteOffset = 0, byteLength]: readonly number[]): string | Uint8Array {
  if (typeof model === 'string' || model instanceof Uint8Array) return model;
  if (!(model instanceof ArrayBuffer || model instanceof SharedArrayBuffer))
    throw wrong('a path, a Uint8Array or an ArrayBuffer', model);
  const length = byteLength ?? model.byteLength - byteOffset;
  const inside =
    Number.isSafeInteger(byteOffset) && Number.isSafeInteger(length) && byteOffset >= 0 && length > 0;
  if (inside && byteOffset + length <= model.byteLength) {
    const part = new Uint8Array(model, byteOffset, length);
    // Memory that is shared may change at any time, and the session keeps what it is given.
    return model instanceof SharedArrayBuffer ? part.slice() : part;
  }
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected a part of the ${model.byteLength} bytes, got ${byteLength ?? 'all'} from ${byteOffset}`,
  );
}

function wrong(expected: string, got: unknown): EspalierError {
  const type = Object.prototype.toString.call(got).slice(8, -1);
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${type}`);
}
