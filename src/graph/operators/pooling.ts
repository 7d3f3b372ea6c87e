import { intsAttribute } from '../attributes.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily } from './definition.js';
import { windowOf } from './window.js';

const slidingPool: OperatorDefinition = {
  infer: (context) => {
    const [batch = 0, channels = 0, ...inputs] = spatial(context);
    const kernel = intsAttribute(context.node, 'kernel_shape');
    if (kernel === undefined) throw context.shapeError('kernel_shape is missing');
    const window = windowOf(context.node, inputs, kernel, (reason) => context.shapeError(reason));
    return [{ type: context.type(0), dims: [batch, channels, ...window.outputs] }];
  },
};

const globalPool: OperatorDefinition = {
  infer: (context) => {
    const [batch = 0, channels = 0, ...inputs] = spatial(context);
    return [{ type: context.type(0), dims: [batch, channels, ...inputs.map(() => 1)] }];
  },
};

/** Operators that reduce windows of [batch, channels, spatial...] without weights. */
export const poolings: OperatorFamily = {
  MaxPool: slidingPool,
  AveragePool: slidingPool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
};

function spatial(context: OperatorContext): readonly number[] {
  const dims = context.dims(0);
  if (dims.length < 3) throw context.shapeError('the input needs at least 3 axes');
  return dims;
}
