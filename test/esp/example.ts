import { compileModel } from '../../src/esp/index.js';
import { inflate } from '../../src/formats/esp/deflate.js';
import { decodeHeader } from '../../src/formats/safetensors/index.js';
import { fromNumbers, type Graph } from '../../src/graph/index.js';

/** The example of docs/esp.md: y = x W, where the 16 outputs read inputs 1 and 4 of 6 and nothing else. */
export function exampleGraph(): Graph {
  const weights = Array.from({ length: 6 * 16 }, (_, i) => {
    const input = Math.floor(i / 16);
    return input === 1 || input === 4 ? input + (i % 16) / 16 : 0;
  });
  return {
    name: 'example',
    inputs: [{ name: 'x', type: 'float32', dims: [1, 6] }],
    outputs: [{ name: 'y', type: 'float32', dims: [1, 16] }],
    nodes: [
      { name: 'fc', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() },
    ],
    constants: new Map([['w', fromNumbers('float32', [6, 16], weights)]]),
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}

export const exampleFile = (): Uint8Array =>
  new Uint8Array(Buffer.concat(compileModel(exampleGraph(), { isa: 'avx512' }).parts));

/** What docs/esp.md shows of the example: a table of the file, and the JSON of its weights. */
export function describeExample(): { table: string; weights: string } {
  const file = exampleFile();
  const { entries, dataStart } = decodeHeader(file, file.length, 'the example');
  const rows = [...entries].map(([name, { type, dims, begin, end }]) => {
    const at = dataStart + begin;
    return `| ${at} | ${end - begin} | \`${name}\` | ${type} [${dims.join(', ')}] | ${hex(file.subarray(at, Math.min(at + 8, dataStart + end)))} |`;
  });
  const table = [
    '| byte | bytes | what | type | begins with |',
    '| ---: | ---: | --- | --- | --- |',
    `| 0 | 8 | length of the header | uint64 | ${hex(file.subarray(0, 8))} |`,
    `| 8 | ${dataStart - 8} | the header, JSON and spaces | | ${hex(file.subarray(8, 16))} |`,
    ...rows,
  ].join('\n');
  const { begin, end } = entries.get('espalier.weights') as { begin: number; end: number };
  const list = inflate(file.subarray(dataStart + begin, dataStart + end), 'the list of weights');
  const text = new TextDecoder().decode(list);
  return { table, weights: JSON.stringify(JSON.parse(text), null, 2) };
}

function hex(bytes: Uint8Array): string {
  return `\`${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')}\``;
}
