import { intAttribute, intsAttribute } from '../attributes.js';
import type { OperatorContext, OperatorFamily } from './definition.js';
import { transposedWindowOf, type Window, windowOf } from './window.js';

/** Marks a Conv of whole numbers in float32, which no algorithm may compute by way of fractions. It is in no file. */
export const exactAttribute = 'exact';

/** Operators that slide a kernel with weights over [batch, channels, spatial...]. */
export const convolutions: OperatorFamily = {
  Conv: {
    infer: (context) => {
      const [batch = 0] = context.dims(0);
      const [outputs = 0] = context.dims(1);
      return [{ type: context.type(0), dims: [batch, outputs, ...convWindow(context).outputs] }];
    },
  },
  ConvTranspose: {
    infer: (context) => {
      const [batch = 0] = context.dims(0);
      const [, outputsPerGroup = 0] = context.dims(1);
      const group = intAttribute(context.node, 'group', 1);
      return [
        {
          type: context.type(0),
          dims: [batch, outputsPerGroup * group, ...transposedWindow(context).outputs],
        },
      ];
    },
  },
};

/** Window of a Conv: x [batch, channels, ...], weight [outputs, channels / group, kernel...], bias [outputs]. */
function convWindow(context: OperatorContext): Window {
  const [, channels = 0, ...inputs] = context.dims(0);
  const [outputs = 0, channelsPerGroup = 0, ...kernel] = context.dims(1);
  const group = intAttribute(context.node, 'group', 1);
  checkRanks(context);
  if (group < 1 || channels !== channelsPerGroup * group || outputs % group !== 0) {
    throw context.shapeError(
      `a weight for ${channelsPerGroup} channels in each of ${group} groups does not fit ${channels} channels`,
    );
  }
  checkBias(context, outputs);
  return windowOf(context.node, inputs, checkKernel(context, kernel), (reason) => context.shapeError(reason));
}

/** Window of a ConvTranspose: weight [channels, outputs / group, kernel...]. */
function transposedWindow(context: OperatorContext): Window {
  const [, channels = 0, ...inputs] = context.dims(0);
  const [weightChannels = 0, outputsPerGroup = 0, ...kernel] = context.dims(1);
  const group = intAttribute(context.node, 'group', 1);
  checkRanks(context);
  if (group < 1 || channels !== weightChannels || channels % group !== 0) {
    throw context.shapeError(
      `a weight for ${weightChannels} channels in ${group} groups does not fit ${channels}`,
    );
  }
  checkBias(context, outputsPerGroup * group);
  return transposedWindowOf(context.node, inputs, checkKernel(context, kernel), (reason) =>
    context.shapeError(reason),
  );
}

function checkRanks(context: OperatorContext): void {
  const rank = context.dims(0).length;
  if (rank < 3 || context.dims(1).length !== rank) {
    throw context.shapeError('input and weight need the same number of axes, at least 3');
  }
  if (context.type(1) !== context.type(0)) throw context.typeError('input and weight differ in type');
}

function checkBias(context: OperatorContext, outputs: number): void {
  if (context.has(2) && (context.dims(2).length !== 1 || context.dims(2)[0] !== outputs)) {
    throw context.shapeError(`the bias needs dims [${outputs}]`);
  }
}

function checkKernel(context: OperatorContext, kernel: readonly number[]): readonly number[] {
  const declared = intsAttribute(context.node, 'kernel_shape');
  if (declared !== undefined && declared.join() !== kernel.join()) {
    throw context.shapeError(`kernel_shape [${declared.join(', ')}] does not fit the weight`);
  }
  return kernel;
}
