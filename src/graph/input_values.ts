import { EspalierError } from '../errors.js';
import { elementCount } from '../tensor.js';
import { isFloat } from './data.js';
import type { Node } from './graph.js';
import type { TypeAndDims } from './operators/definition.js';

/** Elements of the largest input whose values may decide what a graph becomes: axes, dims, a sampling rate. */
const mostElements = 64;

/** Whether a graph may be specialised on the values of such an input: few whole numbers or truth values. */
export function mayDecide({ type, dims }: TypeAndDims): boolean {
  return !isFloat(type) && elementCount(dims) <= mostElements;
}

/**
 * Shapes, or which branch of an If runs, depend on the values of these graph inputs, which were not given. A session
 * catches it: from then on the values are part of the key of its plans.
 */
export class InputValuesNeeded extends EspalierError {
  constructor(
    readonly inputs: readonly string[],
    { name, op, inputs: operands }: Node,
    index: number,
  ) {
    const names = inputs.map((input) => JSON.stringify(input)).join(', ');
    super(
      'ERR_ESPALIER_UNSUPPORTED',
      `Expected input ${index} (${operands[index]}) of node ${name} (${op}) to be known before the run, ` +
        `got a value that depends on the values of ${names}`,
    );
  }
}
