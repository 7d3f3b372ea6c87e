import { elementCount } from '../../../tensor.js';
import { floatAttribute, floatValue, intAttribute, intValue } from '../../attributes.js';
import type { OperatorContext } from '../../operators/definition.js';
import { type Decomposition, type DecompositionFamily, Words } from '../definition.js';

/** x / sqrt(mean(x^2) + epsilon) * scale along the axes from `axis`, and the factor before the scale. */
function rootMeanSquare(w: Words, x: string, scale: string, axis: number, epsilon: number) {
  const axes = w.dims(x).flatMap((_, i) => (i >= axis ? [i] : []));
  const mean = w.reduce('ReduceMean', w.mul(x, x), axes);
  const root = w.op('Sqrt', [w.add(mean, w.scalar(epsilon, x))]);
  const inverse = () => w.op('Reciprocal', [root]);
  return { y: w.mul(w.div(x, root), scale), inverse };
}

/** Outputs: y, the mean, the inverse deviation, and the sum that was normalised. */
function skipNorm(simplified: boolean): Decomposition {
  return (context, decomposer) => {
    const w = new Words(decomposer);
    const { inputs, outputs } = context.node;
    const [x = '', skip = '', gamma = ''] = inputs;
    const [beta, bias] = simplified ? ['', inputs[3] ?? ''] : [inputs[3] ?? '', inputs[4] ?? ''];
    const both = w.add(x, skip);
    const sum = bias === '' ? both : w.add(both, bias);
    const last = w.dims(sum).length - 1;
    const epsilon = floatAttribute(context.node, 'epsilon', simplified ? 1e-5 : 1e-12);
    if ((outputs[1] ?? '') !== '') throw context.unsupported('the mean as an output');
    if (simplified) {
      const { y, inverse } = rootMeanSquare(w, sum, gamma, last, epsilon);
      return [y, '', (outputs[2] ?? '') === '' ? '' : inverse(), sum];
    }
    if ((outputs[2] ?? '') !== '') throw context.unsupported('the deviation as an output');
    return [layerNorm(w, sum, gamma, beta, epsilon), '', '', sum];
  };
}

function layerNorm(w: Words, x: string, gamma: string, beta: string, epsilon: number): string {
  const parameters = beta === '' ? [gamma] : [gamma, beta];
  return w.op('LayerNormalization', [x, ...parameters], { axis: intValue(-1), epsilon: floatValue(epsilon) });
}

/** Rows of a table by ids that may have any integer type. */
const rowsOf = (w: Words, table: string, ids: string) => w.gather(table, w.cast(ids, 'int64'), 0);

/** The sum of the embeddings of words, places and segments [batch, tokens, size]. */
function embeddings(w: Words, context: OperatorContext): string {
  const [ids = '', segments = '', words = '', places = '', segmentTable = ''] = context.node.inputs;
  const positions = context.node.inputs[8] ?? '';
  const [, tokens = 0] = w.dims(ids);
  const word = rowsOf(w, words, ids);
  const place = positions === '' ? w.slice(places, 0, 0, tokens) : rowsOf(w, places, positions);
  const sum = w.add(word, place);
  return segments === '' || segmentTable === '' ? sum : w.add(sum, rowsOf(w, segmentTable, segments));
}

/** Normalisations of sums. */
export const contribNorms: DecompositionFamily = {
  SkipLayerNormalization: skipNorm(false),
  SkipSimplifiedLayerNormalization: skipNorm(true),
  SimplifiedLayerNormalization: (context, decomposer) => {
    const w = new Words(decomposer);
    const [x = '', scale = ''] = context.node.inputs;
    const axis = context.normalizeAxis(intAttribute(context.node, 'axis', -1), context.dims(0).length);
    const { y, inverse } = rootMeanSquare(w, x, scale, axis, floatAttribute(context.node, 'epsilon', 1e-5));
    return context.node.outputs.length > 1 ? [y, inverse()] : [y];
  },
  /** Outputs: y, how many tokens of each sequence count, and the sum that was normalised. */
  EmbedLayerNormalization: (context, decomposer) => {
    const w = new Words(decomposer);
    const { inputs, outputs } = context.node;
    if (context.dims(0).length !== 2) throw context.shapeError('ids need dims [batch, tokens]');
    const sum = embeddings(w, context);
    const epsilon = floatAttribute(context.node, 'epsilon', 1e-12);
    const y = layerNorm(w, sum, inputs[5] ?? '', inputs[6] ?? '', epsilon);
    const counts = () =>
      context.has(7)
        ? w.reduce('ReduceSum', w.cast(inputs[7] ?? '', 'int32'), [1], false)
        : w.constant(
            'int32',
            [context.dims(0)[0] ?? 0],
            new Array(elementCount(context.dims(0).slice(0, 1))).fill(0),
          );
    return [y, (outputs[1] ?? '') === '' ? '' : counts(), sum];
  },
};
