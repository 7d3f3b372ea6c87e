import { choiceAttribute, intsAttribute } from '../attributes.js';
import type { OperatorContext, OperatorFamily } from './definition.js';

/** Every rule that maps an output coordinate to an input coordinate. `tf_half_pixel_for_nn` ended with opset 12. */
export const coordinateModes = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
] as const;

/** https://onnx.ai/onnx/operators/onnx__Resize.html: inputs X, roi, and either scales or sizes. */
export const resizes: OperatorFamily = {
  Resize: {
    infer: (context) => {
      choiceAttribute(context.node, 'coordinate_transformation_mode', coordinateModes, 'half_pixel');
      choiceAttribute(context.node, 'mode', ['nearest', 'linear', 'cubic'], 'nearest');
      return [{ type: context.type(0), dims: resizedDims(context) }];
    },
  },
};

function resizedDims(context: OperatorContext): number[] {
  const dims = context.dims(0);
  const declared = intsAttribute(context.node, 'axes');
  const axes = declared ? context.normalizeAxes(declared, dims.length) : dims.map((_, axis) => axis);
  const scales = context.has(2) ? context.anyNumbers(2) : [];
  const sizes = context.has(3) ? context.numbers(3) : [];
  if (scales.length > 0 === sizes.length > 0) throw context.shapeError('either scales or sizes are needed');
  const given = scales.length > 0 ? scales : sizes;
  if (given.length !== axes.length) {
    throw context.shapeError(
      `scales or sizes [${given.join(', ')}] are not one for each of ${axes.length} axes`,
    );
  }
  const result = [...dims];
  if (scales.length > 0) {
    checkRegion(context);
    axes.forEach((axis, i) => {
      // The product is a float32, as in the reference runtime: 0.1 of 10 is one element.
      result[axis] = Math.floor(Math.fround((dims[axis] ?? 0) * (scales[i] ?? 0)));
    });
  } else {
    const scale = commonScale(context, axes, sizes);
    axes.forEach((axis, i) => {
      result[axis] = scale === undefined ? (sizes[i] ?? 0) : Math.round((dims[axis] ?? 0) * scale);
    });
  }
  if (result.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw context.shapeError(`the result would have dims [${result.join(', ')}]`);
  }
  return result;
}

/** The one scale that `keep_aspect_ratio_policy` wants for all axes. */
function commonScale(
  context: OperatorContext,
  axes: readonly number[],
  sizes: readonly number[],
): number | undefined {
  const policies = ['stretch', 'not_larger', 'not_smaller'] as const;
  const policy = choiceAttribute(context.node, 'keep_aspect_ratio_policy', policies, 'stretch');
  if (policy === 'stretch') return undefined;
  const ratios = axes.map((axis, i) => (sizes[i] ?? 0) / (context.dims(0)[axis] ?? 1));
  const choose = policy === 'not_larger' ? Math.min : Math.max;
  return ratios.reduce((chosen, ratio) => choose(chosen, ratio));
}

/** The specification scales the size of the region of interest, runtimes scale the whole input: refuse to choose. */
function checkRegion(context: OperatorContext): void {
  const { node } = context;
  const mode = choiceAttribute(node, 'coordinate_transformation_mode', coordinateModes, 'half_pixel');
  if (mode !== 'tf_crop_and_resize') return;
  const region = context.has(1) ? context.anyNumbers(1) : [];
  const half = region.length / 2;
  const whole = region.every((value, i) => value === (i < half ? 0 : 1));
  if (!whole) throw context.unsupported('tf_crop_and_resize of a part of the input needs sizes, not scales');
}
