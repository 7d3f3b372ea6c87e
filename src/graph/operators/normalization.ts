import { intAttribute } from '../attributes.js';
import type { OperatorDefinition, OperatorFamily } from './definition.js';
import { broadcastDims } from './strided.js';

const softmax: OperatorDefinition = {
  infer: (context) => {
    context.normalizeAxis(intAttribute(context.node, 'axis', -1), context.dims(0).length);
    return [context.input(0)];
  },
};

export const normalizations: OperatorFamily = {
  BatchNormalization: {
    infer: (context) => {
      // A batch of vectors [batch, channels] or images; a plain vector counts as one channel.
      const channels = context.dims(0)[1] ?? 1;
      for (let i = 1; i < 5; i++) {
        if (context.dims(i).length !== 1 || context.dims(i)[0] !== channels) {
          throw context.shapeError(`scale, bias, mean and variance need dims [${channels}]`);
        }
      }
      return [context.input(0)];
    },
  },
  LayerNormalization: {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), dims.length);
      for (const i of context.has(2) ? [1, 2] : [1]) {
        const normalized = dims.slice(axis);
        if (broadcastDims(context.dims(i), normalized)?.join() !== normalized.join()) {
          throw context.shapeError(`scale and bias need to broadcast to [${normalized.join(', ')}]`);
        }
      }
      // Mean and inverse deviation are float32 (stash_type 1), one for each normalized slice.
      const stashed = { type: 'float32' as const, dims: dims.map((dim, i) => (i < axis ? dim : 1)) };
      return [{ type, dims }, stashed, stashed];
    },
  },
  Softmax: softmax,
  LogSoftmax: softmax,
};
