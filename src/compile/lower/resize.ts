import { choiceAttribute, intAttribute, intsAttribute } from '../../graph/attributes.js';
import { coordinateModes } from '../../graph/operators/resize.js';
import {
  inputPosition,
  type NearestMode,
  nearestModes,
  nearestPosition,
} from '../../graph/operators/resize_positions.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { frontAxis, numbersInput } from './operands.js';

/** Output positions of one axis; each takes an entry in the plan. */
const mostPositions = 2 ** 20;

/** For each output position the two input positions it mixes, and the weight of the second. */
interface AxisMix {
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly weight: readonly number[];
}

/** https://onnx.ai/onnx/operators/onnx__Resize.html, over the last two axes. */
export function lowerResize({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const type = builder.typeOf(x).type;
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  const dims = builder.dimsOf(x);
  const to = builder.dimsOf(output);
  const mode = choiceAttribute(node, 'mode', ['nearest', 'linear', 'cubic'], 'nearest');
  if (mode === 'cubic') throw unsupported(node, 'cubic interpolation');
  if (intAttribute(node, 'antialias', 0) !== 0) throw unsupported(node, 'antialiasing');
  const rank = dims.length;
  if (to.slice(-2).some((dim) => dim > mostPositions))
    throw unsupported(node, `a result of [${to.join(', ')}]`);
  if (dims.includes(0) && !to.includes(0)) throw unsupported(node, 'an input without elements');
  if (dims.some((dim, axis) => axis < rank - 2 && dim !== to[axis])) {
    throw unsupported(node, 'resizing other axes than the last two');
  }
  const coordinates = choiceAttribute(node, 'coordinate_transformation_mode', coordinateModes, 'half_pixel');
  if (coordinates === 'tf_crop_and_resize') throw unsupported(node, 'tf_crop_and_resize');
  const nearest = choiceAttribute(node, 'nearest_mode', nearestModes, 'round_prefer_floor');
  const axes = (intsAttribute(node, 'axes') ?? [...dims.keys()]).map((axis) => frontAxis(axis, rank));
  const scales = numbersInput(builder, node, 2) ?? [];
  const mix = (axis: number): AxisMix => {
    const size = dims[axis] ?? 1;
    const wanted = to[axis] ?? 1;
    const scale = (axes.includes(axis) ? scales[axes.indexOf(axis)] : undefined) ?? wanted / size;
    const positions = Array.from({ length: wanted }, (_, i) =>
      inputPosition(i, size, wanted, scale, coordinates),
    );
    return mode === 'nearest' ? mixNearest(positions, size, nearest) : mixLinear(positions, size);
  };
  const whole: AxisMix = { lo: [0], hi: [0], weight: [0] };
  const rows = rank >= 2 ? mix(rank - 2) : whole;
  const columns = mix(rank - 1);
  builder.emit({
    op: 'resize2d',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(output),
    ints: {
      planes: elementCount(dims.slice(0, -2)),
      height: dims.at(-2) ?? 1,
      width: dims.at(-1) ?? 1,
      rows_lo: rows.lo,
      rows_hi: rows.hi,
      columns_lo: columns.lo,
      columns_hi: columns.hi,
    },
    floats: { rows_weight: rows.weight, columns_weight: columns.weight },
  });
}

function mixNearest(positions: readonly number[], size: number, mode: NearestMode): AxisMix {
  const rounded = positions.map((position) => nearestPosition(position, size, mode));
  return { lo: rounded, hi: rounded, weight: rounded.map(() => 0) };
}

function mixLinear(positions: readonly number[], size: number): AxisMix {
  const inside = positions.map((position) => Math.min(Math.max(position, 0), size - 1));
  const lo = inside.map(Math.floor);
  return {
    lo,
    hi: lo.map((position) => Math.min(position + 1, size - 1)),
    weight: inside.map((position, i) => position - (lo[i] ?? 0)),
  };
}
