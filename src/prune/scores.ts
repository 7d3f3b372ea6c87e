import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import type { Pattern } from '../sparse/patterns.js';
import { orderedWeights } from '../sparse/weights.js';
import type { Importance } from './importance.js';
import { forEachUnit, unitCount } from './mask.js';

/**
 * The score of every unit of a layer: the mean importance of its weights. A unit whose weights are all zero already
 * scores -Infinity, whatever its importance, so that it is the first to be counted as removed.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the importance returns the wrong number of scores, or NaN.
 */
export function unitScores(
  graph: Graph,
  layer: Layer,
  pattern: Pattern,
  importance: Importance,
): Float64Array {
  const weights = orderedWeights(graph, layer);
  const scores = importance(layer, weights.slice());
  if (
    !(scores instanceof Float32Array || scores instanceof Float64Array) ||
    scores.length !== weights.length
  ) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected importance of layer "${layer.name}" to be a Float32Array or Float64Array of ${weights.length} scores, ` +
        `got ${ArrayBuffer.isView(scores) ? `${scores.constructor.name} of ${scores.length}` : typeof scores}`,
    );
  }
  const unitTotals = new Float64Array(unitCount(layer, pattern));
  forEachUnit(layer, pattern, (unit, firstRow, rows, firstInput, inputs) => {
    let sum = 0;
    let used = false;
    for (
      let row = 0, start = firstRow * layer.inputs + firstInput;
      row < rows;
      row++, start += layer.inputs
    ) {
      for (let at = start; at < start + inputs; at++) {
        sum += scores[at] as number;
        used ||= weights[at] !== 0;
      }
    }
    if (Number.isNaN(sum)) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected importance of layer "${layer.name}" to be numbers, got NaN at output ${firstRow}, input ${firstInput}`,
      );
    }
    unitTotals[unit] = used ? sum / (rows * inputs) : Number.NEGATIVE_INFINITY;
  });
  return unitTotals;
}
