// Reads the assembly that GCC writes for ARM64: its functions, their basic blocks, and the loops among these that are
// one block, as the hot loops of kernels are after unrolling.

/**
 * @typedef {object} Block
 * @property {string} label empty where control only falls into it
 * @property {string[]} instructions
 * @property {string | undefined} target label of the branch that ends it
 * @property {boolean} fallsThrough
 * @property {string | undefined} marker what an ESPALIER_MCA_LOOP in it says
 * @property {string} place file and line of its last instruction: in a loop, of the statement that loops
 *
 * @typedef {object} AssemblyFunction
 * @property {string} symbol
 * @property {string} file where it is defined
 * @property {Block[]} blocks
 *
 * @typedef {object} Loop
 * @property {AssemblyFunction} of
 * @property {string | undefined} name what the marker before it says
 * @property {string} place
 * @property {readonly string[]} instructions
 */

const markerPattern = /^\s*\/\/ espalier-loop (.*)$/;
const branchPattern = /^(?:b|b\.?[a-z]{2}|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)$/;
const endPattern = /^(?:ret|br|brk|b)\b/;

/**
 * @param {string} text
 * @returns {AssemblyFunction[]}
 */
export function readFunctions(text) {
  /** @type {AssemblyFunction[]} */
  const functions = [];
  /** @type {Map<string, string>} */
  const files = new Map();
  let place = '';
  const last = () => functions.at(-1)?.blocks.at(-1);
  const open = (label = '') =>
    functions.at(-1)?.blocks.push({
      label,
      instructions: [],
      target: undefined,
      fallsThrough: true,
      marker: undefined,
      place,
    });

  for (const line of text.split('\n')) {
    const symbol = /^([A-Za-z_][\w.$]*):/.exec(line)?.[1];
    const label = /^(\.L\d+):/.exec(line)?.[1];
    const file = /^\t\.file (\d+) (?:"[^"]*" )?"(?:.*\/)?([^"/]+)"/.exec(line);
    const location = /^\t\.loc (\d+) (\d+)/.exec(line);
    const marker = markerPattern.exec(line)?.[1];
    const block = last();
    if (file) files.set(file[1] ?? '', file[2] ?? '');
    if (symbol !== undefined) {
      functions.push({ symbol, file: '', blocks: [] });
      open();
    } else if (label !== undefined) {
      open(label);
    } else if (location) {
      place = `${files.get(location[1] ?? '')}:${location[2]}`;
      const of = functions.at(-1);
      if (of !== undefined && of.file === '') of.file = files.get(location[1] ?? '') ?? '';
    } else if (marker !== undefined && block !== undefined) {
      block.marker = marker;
    } else if (/^\t[a-z]/.test(line) && block !== undefined) {
      const instruction = line.trim().replaceAll('\t', ' ');
      const target = branchPattern.exec(instruction)?.[1];
      block.instructions.push(instruction);
      block.place = place;
      if (target === undefined && !endPattern.test(instruction)) continue;
      block.target = target;
      block.fallsThrough = !endPattern.test(instruction);
      open();
    }
  }
  return functions;
}

/**
 * The loops of one block. A marker names the loop that control reaches first after it.
 * @param {AssemblyFunction} of
 * @returns {Loop[]}
 */
export function findLoops(of) {
  const { blocks } = of;
  const isLoop = (/** @type {Block} */ { label, target }) => label !== '' && target === label;
  const names = new Map(
    blocks.flatMap((block, i) => {
      const loop = block.marker === undefined ? undefined : firstAfter(blocks, i, isLoop);
      return loop === undefined ? [] : [[loop, block.marker]];
    }),
  );
  return blocks
    .filter(isLoop)
    .map((block) => ({ of, name: names.get(block), place: block.place, instructions: block.instructions }));
}

/**
 * The block nearest to block `start` in the flow of control that `wanted` accepts.
 * @param {readonly Block[]} blocks @param {number} start @param {(block: Block) => boolean} wanted
 */
function firstAfter(blocks, start, wanted) {
  const byLabel = new Map(blocks.map(({ label }, i) => [label, i]));
  const waiting = [start];
  const seen = new Set(waiting);
  for (const i of waiting) {
    const block = blocks[i];
    if (block === undefined) continue;
    if (wanted(block)) return block;
    const next = [block.fallsThrough ? i + 1 : undefined, byLabel.get(block.target ?? '?')];
    for (const j of next) {
      if (j === undefined || seen.has(j)) continue;
      seen.add(j);
      waiting.push(j);
    }
  }
  return undefined;
}
