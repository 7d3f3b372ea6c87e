import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { importOnnx } from '../../src/formats/onnx/index.js';
import { modelType, type TensorProto } from '../../src/formats/onnx/schema.js';
import { readTensor } from '../../src/formats/onnx/tensors.js';
import { type Graph, specialize, type TensorData, type ValueInfo } from '../../src/graph/index.js';

// The node tests of the ONNX project as Debian packages them (libonnx-testdata 1.12): model, inputs, outputs.
const folder = '/usr/share/libonnx-testdata/data/node';
/** Names of the cases; none where the package is missing. */
export const caseNames = existsSync(folder) ? readdirSync(folder) : [];

export interface Case {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, TensorData>;
  readonly outputs: ReadonlyMap<string, TensorData>;
}

/**
 * Cases whose outputs are stated roughly: with few digits, or from few digits of pi. bfloat16 is truncated in one, where
 * the specification rounds. scripts/conformance.mjs compares them as loosely as ONNX's own runner does.
 */
export const isRough = (name: string) =>
  /^test_((blackman|hamming|hann)window|roialign|cast_FLOAT_to_BFLOAT16)/.test(name);

/** The case; undefined when it is stated roughly, or uses what is not supported, or stores bfloat16 as uint16, as version 1.12 does. */
export function readCase(name: string): Case | undefined {
  if (isRough(name)) return undefined;
  try {
    const graph = importOnnx(readFileSync(`${folder}/${name}/model.onnx`), { name });
    const inputs = readTensors(name, 'input', graph.inputs);
    const outputs = readTensors(name, 'output', graph.outputs);
    const typed = [...graph.inputs, ...graph.outputs].every(
      (value) => (inputs.get(value.name) ?? outputs.get(value.name))?.type === value.type,
    );
    fold({ name, graph, inputs, outputs });
    return typed ? { name, graph, inputs, outputs } : undefined;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_ESPALIER_UNSUPPORTED') return undefined;
    throw error;
  }
}

function readTensors(name: string, role: string, values: readonly ValueInfo[]): Map<string, TensorData> {
  const tensorType = modelType.root.lookupType('TensorProto');
  return new Map(
    values.map((value, i) => {
      const bytes = readFileSync(`${folder}/${name}/test_data_set_0/${role}_${i}.pb`);
      return [value.name, readTensor(tensorType.decode(bytes) as TensorProto, `${role}_${i}`)];
    }),
  );
}

/** The case with its inputs as constants, so that whatever can be computed beforehand is. */
export function fold({ graph, inputs }: Case) {
  return specialize({ ...graph, inputs: [], constants: new Map([...graph.constants, ...inputs]) }, new Map());
}
