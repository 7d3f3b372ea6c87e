// A CommonJS program, as TypeScript with `module: commonjs` writes it.

const ort = require('onnxruntime-node');
const byDefault = (ort.__esModule && ort.default) || ort;

async function main() {
  const session = await ort.InferenceSession.create(process.argv[2]);
  const x = new byDefault.Tensor('float32', new Float32Array(48).fill(0.5), [1, 48]);
  const { action } = await session.run({ obs: x });
  console.log(JSON.stringify([action instanceof ort.Tensor, action.dims, [...action.data]]));
  await session.release();
}

main();
