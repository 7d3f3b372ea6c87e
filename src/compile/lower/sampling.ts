import { choiceAttribute, floatAttribute, intAttribute } from '../../graph/attributes.js';
import { gridModes, gridPaddings } from '../../graph/operators/sampling.js';
import { elementCount } from '../../tensor.js';
import { type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';

const inputsOf = ({ node }: FusedNode, builder: PlanBuilder) => {
  const [x = ''] = node.inputs;
  const { type, dims } = builder.typeOf(x);
  if (type !== 'float32') throw unsupported(node, `an input of type ${type}`);
  return { dims, inputs: node.inputs.map((input) => builder.operand(input)) };
};

export function lowerGridSample(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const { dims, inputs } = inputsOf(fused, builder);
  const [n = 0, c = 0, ...spatial] = dims;
  const mode = choiceAttribute(node, 'mode', gridModes, 'linear');
  const padding = choiceAttribute(node, 'padding_mode', gridPaddings, 'zeros');
  builder.emit({
    op: 'grid_sample',
    node,
    inputs,
    output: builder.operand(output),
    ints: {
      n,
      c,
      spatial,
      points: elementCount(builder.dimsOf(output).slice(2)),
      mode: ['nearest', 'linear', 'cubic'].indexOf(mode),
      padding: gridPaddings.indexOf(padding),
      align_corners: intAttribute(node, 'align_corners', 0),
    },
  });
}

export function lowerRoiAlign(fused: FusedNode, builder: PlanBuilder): void {
  const { node, output } = fused;
  const { dims, inputs } = inputsOf(fused, builder);
  const [n = 0, c = 0, h = 0, w = 0] = dims;
  const [, , outH = 0, outW = 0] = builder.dimsOf(output);
  const coordinates = ['half_pixel', 'output_half_pixel'] as const;
  const samples = intAttribute(node, 'sampling_ratio', 0);
  if (samples < 0) throw unsupported(node, `a sampling_ratio of ${samples}`);
  builder.emit({
    op: 'roi_align',
    node,
    inputs,
    output: builder.operand(output),
    ints: {
      ...{ n, c, h, w },
      out_h: outH,
      out_w: outW,
      sampling_ratio: samples,
      max: choiceAttribute(node, 'mode', ['avg', 'max'], 'avg') === 'max' ? 1 : 0,
      half_pixel:
        choiceAttribute(node, 'coordinate_transformation_mode', coordinates, 'half_pixel') === 'half_pixel'
          ? 1
          : 0,
    },
    floats: { spatial_scale: floatAttribute(node, 'spatial_scale', 1) },
  });
}
