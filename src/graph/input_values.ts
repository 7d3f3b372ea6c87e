import { EspalierError } from '../errors.js';
import { elementCount } from '../tensor.js';
import { isFloat } from './data.js';
import type { Node } from './graph.js';
import type { TypeAndDims } from './operators/definition.js';

/** Elements of the largest input whose values may decide what a graph becomes where nothing else could run. */
const mostElements = 2 ** 16;

/** Elements of what rarely changes from run to run: axes, dims, a sampling rate. */
const fewElements = 64;

/** Graph inputs whose values decide another value. */
export interface Deciders {
  readonly inputs: readonly string[];
  /** Few whole numbers or truth values: a graph may be specialised on them even where it need not be. */
  readonly areFew: boolean;
}

/** Whether a graph may be specialised on the values of such an input. */
export function mayDecide({ dims }: TypeAndDims): boolean {
  return elementCount(dims) <= mostElements;
}

export function areFew({ type, dims }: TypeAndDims): boolean {
  return !isFloat(type) && elementCount(dims) <= fewElements;
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
