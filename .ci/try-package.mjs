// Run in a folder where the packed package is installed: imports it by name and runs a model once.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const resolve = createRequire(join(process.cwd(), 'index.js')).resolve;
const load = (specifier) => import(pathToFileURL(resolve(specifier)).href);

const { InferenceSession, Tensor } = await load('espalier');
await load('espalier/graph');
await load('espalier/prune');

const session = await InferenceSession.create(process.argv[2]);
const dims = [1, 3, 48, 192];
const data = new Float32Array(dims.reduce((product, dim) => product * dim)).map((_, i) => Math.sin(i));
const outputs = await session.run({ [session.inputNames[0]]: new Tensor('float32', data, dims) });
session.release();
for (const [name, tensor] of Object.entries(outputs)) {
  if (!tensor.data.every(Number.isFinite)) throw new Error(`Expected finite values in "${name}"`);
  console.log(`${name} [${tensor.dims.join(', ')}]: ${[...tensor.data].slice(0, 4).join(' ')}`);
}
