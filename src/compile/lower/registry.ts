import { fusedAttention } from '../attention.js';
import type { PlanBuilder } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { lowRankProduct } from '../low_rank.js';
import { lowerFusedAttention } from './attention.js';
import { lowerBatchNormalization, lowerConv, lowerConvTranspose } from './convolution.js';
import {
  binaryOperators,
  compareOperators,
  lowerBinaryNode,
  lowerCast,
  lowerCompare,
  lowerNot,
  lowerPlainUnary,
  lowerUnaryNode,
  lowerWhere,
  plainUnaryOperators,
} from './elementwise.js';
import { lowerGatherAt, lowerScatterAt } from './indexed.js';
import { lowerArgExtreme, lowerCumSum, lowerTopK } from './lines.js';
import {
  lowerConcat,
  lowerDepthToSpace,
  lowerExpand,
  lowerGather,
  lowerPad,
  lowerSlice,
  lowerSpaceToDepth,
  lowerSplit,
  lowerTile,
  lowerTranspose,
  lowerView,
} from './movement.js';
import { lowerGemm, lowerLowRank, lowerMatMul } from './product.js';
import { lowerQuantize } from './quantize.js';
import { lowerRecurrent } from './recurrent.js';
import {
  lowerGlobalPool,
  lowerLayerNormalization,
  lowerLogSoftmax,
  lowerPool,
  lowerReduce,
  lowerSoftmax,
  reduceOperators,
} from './reduction.js';
import { lowerResize } from './resize.js';
import { lowerGridSample, lowerRoiAlign } from './sampling.js';

/** Writes the steps that compute a node to the builder. */
export type Lowering = (fused: FusedNode, builder: PlanBuilder) => void;

const each = (names: readonly string[], lowering: Lowering) => names.map((name) => [name, lowering] as const);

/** How each canonical operator becomes steps. */
export const lowerings: ReadonlyMap<string, Lowering> = new Map<string, Lowering>([
  ['Conv', lowerConv],
  ['ConvTranspose', lowerConvTranspose],
  ['BatchNormalization', lowerBatchNormalization],
  ['MatMul', lowerMatMul],
  ['Gemm', lowerGemm],
  [lowRankProduct, lowerLowRank],
  ...each(binaryOperators, lowerBinaryNode),
  ...each(compareOperators, lowerCompare),
  ...each(reduceOperators, lowerReduce),
  ...each(plainUnaryOperators, lowerPlainUnary),
  ...each(['ArgMax', 'ArgMin'], lowerArgExtreme),
  ...each(['GatherElements', 'GatherND'], lowerGatherAt),
  ...each(['ScatterElements', 'ScatterND'], lowerScatterAt),
  ...each(['QuantizeLinear', 'DequantizeLinear'], lowerQuantize),
  ['TopK', lowerTopK],
  ['CumSum', lowerCumSum],
  ['GridSample', lowerGridSample],
  ['RoiAlign', lowerRoiAlign],
  ['Where', lowerWhere],
  ['Not', lowerNot],
  ['Cast', lowerCast],
  ['Concat', lowerConcat],
  ['Split', lowerSplit],
  ['Slice', lowerSlice],
  ['Transpose', lowerTranspose],
  ['Expand', lowerExpand],
  ['Tile', lowerTile],
  ['Pad', lowerPad],
  ['Gather', lowerGather],
  ['DepthToSpace', lowerDepthToSpace],
  ['SpaceToDepth', lowerSpaceToDepth],
  ...each(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'], lowerView),
  ...each(['MaxPool', 'AveragePool'], lowerPool),
  ...each(['GlobalAveragePool', 'GlobalMaxPool'], lowerGlobalPool),
  ['Softmax', lowerSoftmax],
  ['LogSoftmax', lowerLogSoftmax],
  ['LayerNormalization', lowerLayerNormalization],
  [fusedAttention, lowerFusedAttention],
  ['Resize', lowerResize],
  ...each(['LSTM', 'GRU', 'RNN'], lowerRecurrent),
  ...each(
    [
      ...[
        'Abs',
        'Neg',
        'Relu',
        'Sigmoid',
        'HardSwish',
        'Silu',
        'Tanh',
        'Erf',
        'Softplus',
        'Mish',
        'Exp',
        'Log',
        'Sqrt',
      ],
      ...[
        'Reciprocal',
        'Floor',
        'Ceil',
        'Round',
        'LeakyRelu',
        'Elu',
        'Selu',
        'HardSigmoid',
        'Gelu',
        'Affine',
        'Clip',
      ],
    ],
    lowerUnaryNode,
  ),
]);
