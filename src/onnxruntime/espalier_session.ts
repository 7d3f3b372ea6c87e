import { EspalierError } from '../errors.js';
import type { InferenceSessionHandler } from './backend.js';
import { createHandler } from './handler.js';
import type { InferenceSession } from './inference_session.js';
import type { OnnxValue } from './tensor.js';

/** What is behind `InferenceSession`, where its members are described. */
export class EspalierSession implements InferenceSession {
  readonly #handler: InferenceSessionHandler;

  private constructor(handler: InferenceSessionHandler) {
    this.#handler = handler;
  }

  static async create(model: unknown, ...rest: unknown[]): Promise<EspalierSession> {
    const numbers = rest.filter((value) => typeof value === 'number');
    const [options = {}, ...others] = rest.slice(numbers.length).filter((value) => value !== undefined);
    if (typeof options !== 'object' || options === null || others.length > 0) throw wrong('options', options);
    return new EspalierSession(await createHandler(modelOf(model, numbers), options));
  }

  get inputNames(): readonly string[] {
    return this.#handler.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#handler.outputNames;
  }

  get inputMetadata(): readonly InferenceSession.ValueMetadata[] {
    return this.#handler.inputMetadata;
  }

  get outputMetadata(): readonly InferenceSession.ValueMetadata[] {
    return this.#handler.outputMetadata;
  }

  async run(
    feeds: InferenceSession.FeedsType,
    second?: InferenceSession.FetchesType | InferenceSession.RunOptions,
    third?: InferenceSession.RunOptions,
  ): Promise<InferenceSession.ReturnType> {
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
      const fetches = second as Readonly<Record<string, OnnxValue | null>>;
      return this.#handler.run(
        feeds,
        Object.fromEntries(given.map((name) => [name, fetches[name] ?? null])),
        third,
      );
    }
    const all = Object.fromEntries(this.outputNames.map((name) => [name, null]));
    return this.#handler.run(feeds, all, second as InferenceSession.RunOptions | undefined);
  }

  async release(): Promise<void> {
    await this.#handler.dispose();
  }

  startProfiling(): void {}

  endProfiling(): void {}
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
