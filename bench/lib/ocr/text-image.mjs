// Pictures of lines of text, for networks that read: glyph outlines of an OpenType font, filled with anti-aliasing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import opentype from 'opentype.js';

/** @typedef {import('opentype.js').Font} Font */
/** @typedef {{ x0: number, y0: number, x1: number, y1: number }} Edge */

const fonts = fileURLToPath(new URL('../../../node_modules/dejavu-fonts-ttf/ttf/', import.meta.url));

/** The fonts that lines are set in. */
export const fontNames = [
  'DejaVuSans',
  'DejaVuSerif',
  'DejaVuSansMono',
  'DejaVuSansCondensed',
  'DejaVuSans-Bold',
];

/** @param {string} name @returns {Font} */
export function loadFont(name) {
  const bytes = readFileSync(join(fonts, `${name}.ttf`));
  return opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

const samples = 4; // scan lines for each row of pixels; along a row coverage is exact

/**
 * How much ink is on each pixel, in [0, 1]: [height, width], and where the text ends. The size is that of the font,
 * reduced where the text would not fit the width.
 * @param {{ text: string, font: Font, size: number, left: number, baseline: number, width: number, height: number }} line
 */
export function inkOf({ text, font, size, left, baseline, width, height }) {
  const glyphs = Array.from(text, (letter) => font.charToGlyph(letter));
  const advance = glyphs.reduce((sum, glyph) => sum + (glyph.advanceWidth ?? 0), 0) / font.unitsPerEm;
  const fitting = Math.min(size, (width - 2 * left) / advance);
  let pen = left;
  const edges = glyphs.flatMap((glyph) => {
    const outline = edgesOf(glyph.getPath(pen, baseline, fitting));
    pen += ((glyph.advanceWidth ?? 0) * fitting) / font.unitsPerEm;
    return outline;
  });
  const ink = new Float32Array(width * height);
  for (let scan = 0; scan < height * samples; scan++) {
    const y = (scan + 0.5) / samples;
    const crossings = edges
      .filter(({ y0, y1 }) => y0 <= y !== y1 <= y)
      .map(({ x0, y0, x1, y1 }) => ({ x: x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), turn: y1 > y0 ? 1 : -1 }))
      .sort((a, b) => a.x - b.x);
    let winding = 0; // outlines that overlap count once
    let start = 0;
    for (const { x, turn } of crossings) {
      if (winding === 0) start = x;
      winding += turn;
      if (winding === 0) fill(ink.subarray(Math.floor(y) * width, Math.floor(y + 1) * width), start, x);
    }
  }
  return { ink, right: pen };
}

/** Adds the part of each pixel that [from, to) covers. @param {Float32Array} row @param {number} from @param {number} to */
function fill(row, from, to) {
  for (let x = Math.max(0, Math.floor(from)); x < Math.min(row.length, to); x++)
    row[x] = (row[x] ?? 0) + (Math.min(to, x + 1) - Math.max(from, x)) / samples;
}

/** An outline as straight edges, curves in eight pieces. @param {import('opentype.js').Path} path @returns {Edge[]} */
function edgesOf({ commands }) {
  /** @type {Edge[]} */
  const edges = [];
  let [x, y, startX, startY] = [0, 0, 0, 0];
  /** @param {number} toX @param {number} toY */
  const line = (toX, toY) => {
    if (y !== toY) edges.push({ x0: x, y0: y, x1: toX, y1: toY });
    [x, y] = [toX, toY];
  };
  for (const command of commands) {
    if (command.type === 'M') [x, y, startX, startY] = [command.x, command.y, command.x, command.y];
    else if (command.type === 'L') line(command.x, command.y);
    else if (command.type === 'Q') {
      const [x0, y0] = [x, y];
      for (let i = 1; i <= 8; i++) {
        const t = i / 8;
        const [start, middle, end] = /** @type {const} */ ([(1 - t) ** 2, 2 * t * (1 - t), t * t]);
        line(
          start * x0 + middle * command.x1 + end * command.x,
          start * y0 + middle * command.y1 + end * command.y,
        );
      }
    } else if (command.type === 'Z') line(startX, startY);
    else throw new Error(`Expected TrueType outlines, got command ${command.type}`);
  }
  return edges;
}
