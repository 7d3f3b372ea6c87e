import { EspalierError, type EspalierErrorCode } from './errors.js';
import type { ValueInfo } from './graph/graph.js';
import { nearest } from './options.js';
import { elementCount, type Tensor, type TensorMap, typedArrayOf } from './tensor.js';

/**
 * A tensor for each input of a model, in its order.
 * @param names those of the inputs
 * @throws EspalierError ERR_ESPALIER_ARGUMENT, _INPUT, _TYPE, _SHAPE
 */
export function checkFeeds(
  feeds: TensorMap,
  inputs: readonly ValueInfo[],
  names: readonly string[],
): Tensor[] {
  checkNames(feeds, names);
  return inputs.map((input) =>
    checkFeed(input, Object.hasOwn(feeds, input.name) ? feeds[input.name] : undefined),
  );
}

function checkNames(feeds: unknown, names: readonly string[]): void {
  if (typeof feeds !== 'object' || feeds === null) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected feeds to be an object of tensors, got ${String(feeds)}`,
    );
  }
  for (const name of Object.keys(feeds)) {
    if (!names.includes(name)) {
      throw new EspalierError(
        'ERR_ESPALIER_INPUT',
        `"${name}" is not an input of the model: ${nearest(name, names)}`,
      );
    }
  }
}

/** The feed, checked against the input's declaration; its dims are checked in full when they need a new plan. */
function checkFeed(input: ValueInfo, feed: Tensor | undefined): Tensor {
  // Made only when it is thrown: every run comes through here.
  const refuse = (code: EspalierErrorCode, got: string) =>
    new EspalierError(
      code,
      `Expected input "${input.name}" to be ${input.type}${shapeOf(input)}, got ${got}`,
    );
  if (feed === undefined) throw refuse('ERR_ESPALIER_INPUT', 'none');
  if (typeof feed !== 'object' || feed === null || !Array.isArray(feed.dims)) {
    throw refuse('ERR_ESPALIER_ARGUMENT', 'no Tensor');
  }
  const got = () => `${feed.type} [${feed.dims.join(', ')}]`;
  if (feed.type !== input.type || !(feed.data instanceof typedArrayOf[input.type])) {
    throw refuse('ERR_ESPALIER_TYPE', got());
  }
  const counts = feed.dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  const fits = input.dims?.every((dim, axis) => typeof dim === 'string' || dim === feed.dims[axis]) ?? true;
  if (!counts || !fits || (input.dims !== undefined && input.dims.length !== feed.dims.length)) {
    throw refuse('ERR_ESPALIER_SHAPE', got());
  }
  if (feed.data.length !== elementCount(feed.dims)) {
    throw refuse('ERR_ESPALIER_SHAPE', `${got()} with ${feed.data.length} elements`);
  }
  return feed;
}

function shapeOf({ dims }: ValueInfo): string {
  return dims === undefined ? '' : ` [${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}
