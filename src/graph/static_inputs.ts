import { EspalierError } from '../errors.js';
import { elementCount } from '../tensor.js';
import type { Graph, ValueInfo } from './graph.js';
import type { TypeAndDims } from './operators/definition.js';

/** Elements of the largest input. */
const largestInput = 2 ** 31 - 1;

/** The graph's inputs with their dims; each must fit the declared ones where those are numbers. */
export function checkInputs(
  graph: Graph,
  inputDims: ReadonlyMap<string, readonly number[]>,
): (ValueInfo & TypeAndDims)[] {
  const names = graph.inputs.map(({ name }) => name);
  for (const name of inputDims.keys()) {
    if (names.includes(name)) continue;
    throw new EspalierError(
      'ERR_ESPALIER_INPUT',
      `Expected dims of the inputs ${names.map((known) => JSON.stringify(known)).join(', ')}, got ${JSON.stringify(name)}`,
    );
  }
  return graph.inputs.map((input) => {
    const dims = inputDims.get(input.name) ?? declaredDims(input);
    if (dims === undefined) {
      throw new EspalierError('ERR_ESPALIER_INPUT', `Expected dims of input ${describe(input)}, got none`);
    }
    const valid =
      dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && elementCount(dims) <= largestInput;
    const fits =
      input.dims === undefined ||
      (dims.length === input.dims.length &&
        input.dims.every((dim, axis) => typeof dim === 'string' || dim === dims[axis]));
    if (!valid || !fits) {
      throw new EspalierError(
        'ERR_ESPALIER_SHAPE',
        `Expected input ${describe(input)}, got [${dims.join(', ')}]`,
      );
    }
    return { ...input, dims: [...dims] };
  });
}

function declaredDims({ dims }: ValueInfo): number[] | undefined {
  return dims?.every((dim) => typeof dim === 'number') ? (dims as number[]) : undefined;
}

/** `"x" to be float32 [batch, 3, ?, ?]` */
function describe({ name, type, dims }: ValueInfo): string {
  const shape =
    dims === undefined ? 'of any shape' : `[${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
  return `${JSON.stringify(name)} to be ${type} ${shape}`;
}
