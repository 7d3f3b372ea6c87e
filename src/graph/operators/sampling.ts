import { choiceAttribute, intAttribute } from '../attributes.js';
import type { OperatorFamily } from './definition.js';

export const gridModes = ['linear', 'nearest', 'cubic'] as const;
export const gridPaddings = ['zeros', 'border', 'reflection'] as const;

/** Operators that read an image between its pixels, where another input says. */
export const samplings: OperatorFamily = {
  /** x [batch, channels, spatial...], grid [batch, spatial..., number of spatial axes] */
  GridSample: {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const grid = context.dims(1);
      const axes = dims.length - 2;
      choiceAttribute(context.node, 'padding_mode', gridPaddings, 'zeros');
      const mode = choiceAttribute(context.node, 'mode', gridModes, 'linear');
      if (axes !== 2 && axes !== 3) throw context.unsupported(`a grid over ${axes} axes`);
      if (axes === 3 && mode === 'cubic') throw context.unsupported('cubic interpolation over 3 axes');
      if (dims.slice(2).includes(0)) throw context.shapeError('there are no pixels');
      if (grid.length !== dims.length || grid.at(-1) !== axes || grid[0] !== dims[0])
        throw context.shapeError('the grid does not fit the input');
      if (context.type(1) !== type) throw context.typeError('input and grid differ in type');
      return [{ type, dims: [dims[0] ?? 0, dims[1] ?? 0, ...grid.slice(1, -1)] }];
    },
  },
  /** x [batch, channels, height, width], regions [regions, 4], the image of each [regions] */
  RoiAlign: {
    infer: (context) => {
      const { type, dims } = context.input(0);
      const [regions = 0] = context.dims(1);
      const [height, width] = ['output_height', 'output_width'].map((name) =>
        intAttribute(context.node, name, 1),
      );
      choiceAttribute(context.node, 'mode', ['avg', 'max'], 'avg');
      if (dims.length !== 4 || dims.slice(2).includes(0)) throw context.shapeError('the input is no image');
      if (context.dims(1).join() !== `${regions},4` || context.dims(2).join() !== String(regions))
        throw context.shapeError('the regions need dims [regions, 4], their images [regions]');
      if (context.type(1) !== type || context.type(2) !== 'int64')
        throw context.typeError('regions need the type of the input, their images int64');
      if (!(Number(height) >= 1 && Number(width) >= 1)) throw context.shapeError('no output');
      return [{ type, dims: [regions, dims[1] ?? 0, height ?? 1, width ?? 1] }];
    },
  },
};
