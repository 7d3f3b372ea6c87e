import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import { optionsObject, parseOptions, shareBelowOne } from '../../options.js';
import type { CurvePoint } from '../../prune/curves.js';

/** What an error is measured on: the outputs of the network, those of the layer, or a loss that the caller gives. */
export const sensitivityMeasures = ['network', 'layer', 'loss'] as const;
export type SensitivityMeasure = (typeof sensitivityMeasures)[number];

/** How much each layer minds being pruned, alone. Plain data: it survives JSON. */
export interface SensitivityReport {
  readonly measure: SensitivityMeasure;
  readonly method: string;
  readonly samples: number;
  /** Of measure loss: what the dense network has, which the errors are measured from. Else 0. */
  readonly dense: number;
  /** In node order. */
  readonly layers: readonly LayerSensitivity[];
}

export interface LayerSensitivity {
  readonly name: string;
  readonly op: string;
  readonly pattern: string;
  /** Units of the pattern: weights, or blocks. */
  readonly units: number;
  /**
   * By ascending sparsity. For network and layer |y - y0|^2 / |y0|^2 over all samples, y0 being the outputs of the dense
   * network; for loss the mean of the losses less that of the dense network.
   */
  readonly points: readonly SensitivityPoint[];
}

export interface SensitivityPoint {
  readonly sparsity: number;
  readonly error: number;
}

const finite = v.pipe(v.number('a number'), v.finite('a number'));
const point = optionsObject({ sparsity: shareBelowOne, error: finite });
const text = v.string('a string');

export const sensitivitySchema = optionsObject({
  measure: v.picklist(sensitivityMeasures, `one of ${sensitivityMeasures.join(', ')}`),
  method: text,
  samples: finite,
  dense: finite,
  layers: v.array(
    optionsObject({
      name: text,
      op: text,
      pattern: text,
      units: finite,
      points: v.pipe(
        v.array(point, 'a list of points'),
        v.check((points) => points.length > 0, 'a list of one point at least'),
        v.check(
          (points) => points.every((own, i) => i === 0 || own.sparsity > (points[i - 1]?.sparsity ?? 0)),
          'points of rising sparsity',
        ),
      ),
    }),
    'a list of layers',
  ),
});

/**
 * Reads a report that may come from anywhere.
 * @param where names it in messages
 * @throws EspalierError ERR_ESPALIER_ARGUMENT
 */
export function parseSensitivity(json: string, where: string): SensitivityReport {
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${where} to be JSON: ${reason}`, { cause });
  }
  if (Array.isArray(content) || content === null)
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${where} to be an object, got a list or null`);
  return parseOptions(sensitivitySchema, content, where);
}

/**
 * The errors of a layer over its sparsity, from no error at 0 on, and never falling: that more zeros gave less error on
 * a few samples is luck, which an allocation should not build on.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the report does not have the layer
 */
export function risingErrors(report: SensitivityReport, name: string): CurvePoint[] {
  let most = Number.NEGATIVE_INFINITY;
  return errorCurve(report, name).map(({ sparsity, value }) => {
    most = Math.max(most, value);
    return { sparsity, value: most };
  });
}

/**
 * The errors of a layer over its sparsity, from no error at 0 on.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the report does not have the layer
 */
export function errorCurve({ layers }: SensitivityReport, name: string): CurvePoint[] {
  const found = layers.find((layer) => layer.name === name);
  if (found === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a sensitivity of layer "${name}", got those of ${layers.length} others; measure it again`,
    );
  }
  const points = found.points.map(({ sparsity, error }) => ({ sparsity, value: error }));
  return points[0]?.sparsity === 0 ? points : [{ sparsity: 0, value: 0 }, ...points];
}
