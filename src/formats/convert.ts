import { EspalierError } from '../errors.js';
import { encodeNpy, encodeNpz } from './npz/index.js';
import { exportOnnx } from './onnx/index.js';
import { type FileContent, tensorsOf } from './open.js';
import { encodeSafetensors } from './safetensors/index.js';

export const writtenFormats = ['onnx', 'safetensors', 'npz', 'npy'] as const;
export type WrittenFormat = (typeof writtenFormats)[number];

/**
 * The bytes of a file of this format with the same content. Of a graph, all but ONNX keep the constants alone. Values
 * stay as they are; NumPy's formats hold bfloat16 as float32.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when tensors are to become a graph, or several tensors one array,
 *   ERR_ESPALIER_UNSUPPORTED when the file would be too large for its format
 */
export function encodeAs(content: FileContent, format: WrittenFormat): Uint8Array {
  const tensors = tensorsOf(content);
  switch (format) {
    case 'onnx':
      if (content.format === 'onnx') return exportOnnx(content.graph);
      throw wrong('a graph to write as ONNX', `the tensors of a ${content.format} file`);
    case 'safetensors':
      return encodeSafetensors(tensors, content.format === 'onnx' ? {} : { metadata: content.metadata });
    case 'npz':
      return encodeNpz(tensors);
    case 'npy': {
      const [first, ...others] = tensors.values();
      if (first !== undefined && others.length === 0) return encodeNpy(first);
      throw wrong('one tensor to write as .npy', String(tensors.size));
    }
  }
}

/**
 * The format that a name ends with.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when that is none of {@link writtenFormats}
 */
export function formatOfName(file: string): WrittenFormat {
  const format = writtenFormats.find((name) => file.toLowerCase().endsWith(`.${name}`));
  if (format !== undefined) return format;
  const endings = writtenFormats.map((name) => `.${name}`).join(', ');
  const hint = file.toLowerCase().endsWith('.esp') ? '; "espalier compile" writes .esp' : '';
  throw wrong(`a name that ends with ${endings}`, `${JSON.stringify(file)}${hint}`);
}

function wrong(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
}
