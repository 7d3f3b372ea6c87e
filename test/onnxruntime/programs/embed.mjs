// A sentence encoder as transformers.js runs one: token ids and a mask as int64.
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [model] = process.argv.slice(2);
const session = await InferenceSession.create(model, {
  executionProviders: [{ name: 'cpu' }],
  intraOpNumThreads: 1,
});
const report = [session.inputNames, session.inputMetadata];
for (const sentence of [
  [101, 7592, 2088, 102],
  [101, 102],
  [5, 6, 7, 8, 9, 10, 11],
]) {
  const ids = sentence.map((id) => BigInt(id % 50));
  const dims = [1, ids.length];
  const feeds = {
    input_ids: new Tensor('int64', BigInt64Array.from(ids), dims),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n).fill(0n, 3), dims),
  };
  const { last_hidden_state: hidden, sentence_embedding: embedding } = await session.run(feeds);
  report.push([hidden.dims, [...hidden.data]], [embedding.type, embedding.dims, [...embedding.data]]);
}
await session.release();
console.log(JSON.stringify(report));
