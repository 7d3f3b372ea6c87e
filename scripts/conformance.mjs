// Runs the node tests of the ONNX project (Debian's libonnx-testdata) and writes docs/conformance.md: how many pass,
// and why each other one does not.
//
//   node scripts/conformance.mjs            writes
//   node scripts/conformance.mjs --check    fails when the file is not what the tests say, or too few of them pass
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { caseNames, readModel, reasonLeftOut, rough, runCase } from './lib/backend-cases.mjs';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const file = new URL('../docs/conformance.md', import.meta.url);

/** Share of the tests of inference that has to pass. */
const leastShare = 0.95;

const names = caseNames();
if (names.length === 0) {
  console.error(
    'warning: libonnx-testdata not found. Debian, Ubuntu: sudo apt-get install -y libonnx-testdata',
  );
  process.exit(process.env['CI'] === 'true' ? 1 : 0);
}

const leftOut = new Map();
const failures = [];
const nearly = [];
let counted = 0;
for (const name of names) {
  const reason = reasonLeftOut(readModel(name));
  if (reason !== undefined) {
    leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
    continue;
  }
  counted++;
  const failure = await runCase(name);
  if (failure === rough) nearly.push(name);
  else if (failure !== undefined) failures.push([name, failure]);
}

const passed = counted - failures.length;
const toCell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const text = `# Conformance

Written by \`node scripts/conformance.mjs\`, never by hand. The node tests of the ONNX project, opset 17, as Debian
packages them in libonnx-testdata: each is a model of an operator with its inputs and the outputs that it must give.
All inputs are fed at run time.

${passed} of ${counted} tests pass, ${((100 * passed) / counted).toFixed(1)} %.

Each output is within 1e-5 of the largest value that is stated. The following are not, but are within the tolerance of
ONNX's own runner (1e-3 of each value, and 1e-7): their outputs are stated with few digits, or computed with few of pi.
${nearly.map((name) => `\`${name}\``).join(', ')}.

Not counted: ${[...leftOut]
  .sort()
  .map(([reason, count]) => `${count} of ${reason}`)
  .join(', ')}.

| test that does not pass | because |
| --- | --- |
${failures.map(([name, failure]) => `| ${name} | ${toCell(failure)} |`).join('\n')}
`;

console.error(`${passed} of ${counted} node tests pass`);
if (!values.check) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/conformance.md is not what the tests say: run node scripts/conformance.mjs');
  process.exitCode = 1;
}
if (passed < leastShare * counted) process.exitCode = 1;
