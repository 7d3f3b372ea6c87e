import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { barRows, meanSpeedup } from './bars.mjs';
import { sparsities } from './cases.mjs';

/** @import { Row } from './rows.mjs' */

/** Lines of the figure, in colours that stay apart for colour-blind eyes (Okabe and Ito), and with marks of their own. */
const lines = /** @type {const} */ ([
  { pattern: '16x1', colour: '#0072B2', mark: 'circle' },
  { pattern: '8x1', colour: '#56B4E9', mark: 'square' },
  { pattern: '4x1', colour: '#009E73', mark: 'triangle-up' },
  { pattern: 'unstructured', colour: '#D55E00', mark: 'diamond' },
]);
const panels = /** @type {const} */ ([
  { title: 'N = 1', tokens: [1] },
  { title: 'N = 64 and 256', tokens: [64, 256] },
]);
/** Words of Vega-Lite. */
const [quantitative, nominal, log, bottom] = /** @type {const} */ ([
  'quantitative',
  'nominal',
  'log',
  'bottom',
]);
const ideal = 'ideal, 1 / (1 − sparsity)';

/**
 * The points: for each panel, pattern and sparsity the geometric mean over the bar shapes.
 * @param {readonly Row[]} rows
 */
export function figurePoints(rows) {
  return panels.flatMap(({ title, tokens }) =>
    lines.flatMap(({ pattern }) => {
      const sparse = rows.filter((row) => row.pattern === pattern && tokens.some((n) => n === row.tokens));
      return sparsities.flatMap((sparsity) => {
        const found = sparse.length === 0 ? [] : barRows(rows, { patterns: [pattern], tokens, sparsity });
        if (found.length === 0) return [];
        return [{ panel: title, pattern, density: 1 - sparsity, speedup: meanSpeedup(found) }];
      });
    }),
  );
}

/**
 * Speed-up over onnxruntime dense by sparsity, as an SVG file. Both axes are logarithmic, the lower one in the share of
 * weights that stays, so that the ideal is a straight line.
 * @param {readonly Row[]} rows
 */
export async function drawFigure(rows) {
  const points = figurePoints(rows);
  const shown = lines.filter(({ pattern }) => points.some((point) => point.pattern === pattern));
  const idealPoints = panels.flatMap(({ title }) =>
    [1, 0.05].map((density) => ({ panel: title, pattern: ideal, density, speedup: 1 / density })),
  );
  const series = [...shown, { pattern: ideal, colour: '#777777', mark: 'stroke' }];
  const lowest = Math.min(0.8, ...points.map(({ speedup }) => speedup));
  const highest = Math.max(20, ...points.map(({ speedup }) => speedup));
  const x = {
    field: 'density',
    type: quantitative,
    scale: { type: log, domain: [1.06, 0.047], nice: false },
    axis: {
      values: sparsities.map((sparsity) => 1 - sparsity),
      labelExpr: "format(1 - datum.value, '.0%')",
      title: 'sparsity',
    },
  };
  const y = {
    field: 'speedup',
    type: quantitative,
    scale: { type: log, domain: [lowest / 1.05, highest * 1.08], nice: false },
    axis: {
      values: [0.5, 1, 2, 3, 5, 10, 20, 30].filter((value) => value >= lowest / 1.05),
      format: '~g',
      title: 'times the speed of onnxruntime dense',
    },
  };
  const colour = {
    field: 'pattern',
    type: nominal,
    scale: { domain: series.map(({ pattern }) => pattern), range: series.map(({ colour }) => colour) },
    legend: { title: null, orient: bottom, columns: series.length, symbolSize: 80, labelLimit: 300 },
  };
  const shape = { ...colour, scale: { ...colour.scale, range: series.map(({ mark }) => mark) } };
  /** @type {vegaLite.TopLevelSpec} */
  const spec = {
    background: 'white',
    padding: 12,
    data: { values: [...idealPoints, ...points] },
    facet: {
      column: {
        field: 'panel',
        sort: panels.map(({ title }) => title),
        header: { title: null, labelFontSize: 13, labelFontWeight: 'bold' },
      },
    },
    spacing: 28,
    spec: {
      width: 330,
      height: 300,
      layer: [
        {
          data: { values: [{ speedup: 1 }] },
          mark: { type: 'rule', color: '#bbbbbb' },
          encoding: { y: { field: 'speedup', type: quantitative } },
        },
        {
          transform: [{ filter: `datum.pattern === '${ideal}'` }],
          mark: { type: 'line', strokeDash: [5, 4], strokeWidth: 1.5 },
          encoding: { x, y, color: colour },
        },
        {
          transform: [{ filter: `datum.pattern !== '${ideal}'` }],
          mark: { type: 'line', strokeWidth: 2 },
          encoding: { x, y, color: colour },
        },
        {
          transform: [{ filter: `datum.pattern !== '${ideal}'` }],
          mark: { type: 'point', filled: true, size: 70, opacity: 1 },
          encoding: { x, y, color: colour, shape },
        },
      ],
    },
    config: {
      font: 'sans-serif',
      axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', gridColor: '#eeeeee' },
      legend: { labelFontSize: 12 },
    },
  };
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
  return `${await view.toSVG()}\n`;
}
