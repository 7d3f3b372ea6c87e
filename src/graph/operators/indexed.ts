import { EspalierError } from '../../errors.js';
import { bytesPerElement, elementCount } from '../../tensor.js';
import { choiceAttribute, intAttribute } from '../attributes.js';
import { readNumbers } from '../data.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily, TypeAndDims } from './definition.js';
import { rowMajorStrides, walk } from './strided.js';

/**
 * Rows of a tensor that indices name: for each index vector below `dims`, the tuple of indices there names the row of
 * `inner` elements at the sum of both strides. native/runtime/ops/indexed.cc computes the same.
 */
export interface IndexedRows {
  readonly dims: readonly number[];
  readonly baseStrides: readonly number[];
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly inner: number;
}

type Dims = readonly number[];

/** Rows of GatherElements and ScatterElements: single elements, indexed along one axis. */
export function elementRows(data: Dims, indices: Dims, axis: number): IndexedRows {
  const strides = rowMajorStrides(data);
  return {
    dims: indices,
    baseStrides: strides.with(axis, 0),
    sizes: [data[axis] ?? 1],
    strides: [strides[axis] ?? 1],
    inner: 1,
  };
}

/** Rows of GatherND and ScatterND: the last axis of the indices is a tuple, behind `batch` axes in common. */
export function tupleRows(data: Dims, indices: Dims, batch: number): IndexedRows {
  const strides = rowMajorStrides(data);
  const width = indices.at(-1) ?? 0;
  const dims = indices.slice(0, -1);
  return {
    dims,
    baseStrides: dims.map((_, axis) => (axis < batch ? (strides[axis] ?? 0) : 0)),
    sizes: data.slice(batch, batch + width),
    strides: strides.slice(batch, batch + width),
    inner: elementCount(data.slice(batch + width)),
  };
}

function eachRow(
  context: OperatorContext,
  rows: IndexedRows,
  visit: (row: number, offset: number) => void,
): void {
  const indices = readNumbers(context.known(1));
  const width = rows.sizes.length;
  walk(rows.dims, [rows.baseStrides], (row, [base = 0]) => {
    let offset = base;
    rows.sizes.forEach((size, k) => {
      const index = indices[row * width + k] ?? 0;
      const place = index < 0 ? index + size : index;
      if (place < 0 || place >= size) {
        const { name, op } = context.node;
        const range = `[${-size}, ${size - 1}]`;
        throw new EspalierError(
          'ERR_ESPALIER_MODEL',
          `Expected indices of node ${name} (${op}) in ${range}, got ${index}`,
        );
      }
      offset += place * (rows.strides[k] ?? 0);
    });
    visit(row, offset);
  });
}

function gathered(rowsOf: (context: OperatorContext) => IndexedRows): OperatorDefinition['evaluate'] {
  return (context, [output]) => {
    const rows = rowsOf(context);
    const { type, dims } = output as TypeAndDims;
    const width = bytesPerElement[type] * rows.inner;
    const target = new Uint8Array(elementCount(dims) * bytesPerElement[type]);
    if (target.length === 0) return [target];
    const { bytes } = context.known(0);
    eachRow(context, rows, (row, offset) => {
      const start = offset * bytesPerElement[type];
      target.set(bytes.subarray(start, start + width), row * width);
    });
    return [target];
  };
}

function checkIndices(context: OperatorContext): void {
  const { type } = context.input(1);
  if (type !== 'int64' && type !== 'int32') throw context.typeError('the indices must be int32 or int64');
}

function elements(context: OperatorContext): IndexedRows {
  const [data, indices] = [context.dims(0), context.dims(1)];
  const axis = context.normalizeAxis(intAttribute(context.node, 'axis', 0), data.length);
  checkIndices(context);
  if (indices.length !== data.length || indices.some((dim, i) => i !== axis && dim > (data[i] ?? 0)))
    throw context.shapeError('the indices do not fit the data');
  return elementRows(data, indices, axis);
}

function tuples(context: OperatorContext, batch: number): IndexedRows {
  const [data, indices] = [context.dims(0), context.dims(1)];
  const width = indices.at(-1);
  checkIndices(context);
  const fits = width !== undefined && batch >= 0 && batch < indices.length && batch + width <= data.length;
  if (!fits || indices.slice(0, batch).some((dim, axis) => dim !== data[axis]))
    throw context.shapeError('the indices do not fit the data');
  return tupleRows(data, indices, batch);
}

const batchOf = ({ node }: OperatorContext) => intAttribute(node, 'batch_dims', 0);

function scatter(
  rowsOf: (context: OperatorContext) => IndexedRows,
  updateDims: (context: OperatorContext) => Dims,
) {
  return {
    infer: (context: OperatorContext) => {
      rowsOf(context);
      choiceAttribute(context.node, 'reduction', ['none', 'add', 'mul', 'min', 'max'], 'none');
      if (context.type(2) !== context.type(0))
        throw context.typeError('the updates differ in type from the data');
      if (context.dims(2).join() !== updateDims(context).join())
        throw context.shapeError(`the updates need dims [${updateDims(context).join(', ')}]`);
      return [context.input(0)];
    },
  };
}

/** Operators whose places are computed: each row, or each element, has indices of its own. */
export const indexings: OperatorFamily = {
  GatherElements: {
    infer: (context) => {
      elements(context);
      return [{ type: context.type(0), dims: context.dims(1) }];
    },
    evaluate: gathered(elements) as NonNullable<OperatorDefinition['evaluate']>,
  },
  GatherND: {
    infer: (context) => {
      const batch = batchOf(context);
      tuples(context, batch);
      const indices = context.dims(1);
      const inner = context.dims(0).slice(batch + (indices.at(-1) ?? 0));
      return [{ type: context.type(0), dims: [...indices.slice(0, -1), ...inner] }];
    },
    evaluate: gathered((context) => tuples(context, batchOf(context))) as NonNullable<
      OperatorDefinition['evaluate']
    >,
  },
  ScatterElements: scatter(elements, (context) => context.dims(1)),
  ScatterND: scatter(
    (context) => tuples(context, 0),
    (context) => [...context.dims(1).slice(0, -1), ...context.dims(0).slice(context.dims(1).at(-1) ?? 0)],
  ),
};
