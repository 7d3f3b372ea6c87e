import protobuf from 'protobufjs';
import { EspalierError } from '../../errors.js';
import { type FunctionProto, functionType, type ModelProto, modelType } from './schema.js';

/**
 * Messages and list entries a model may hold. Each costs around 100 bytes once decoded but as little as one byte in
 * the file, so without a bound a hostile file of some hundred MB would end the process. Large models hold some 10^5.
 */
const largestItemCount = 2 ** 22;

/**
 * Decodes the bytes of an ONNX file; byte fields are views on `bytes`.
 * @param name the model's name for messages
 * @throws EspalierError ERR_ESPALIER_MODEL for anything that is not an ONNX model
 */
export function decodeModel(bytes: Uint8Array, name: string): ModelProto {
  if (bytes.byteLength === 0) throw notAModel(name, 'got 0 bytes');
  // A Buffer's slices are Buffers: take plain views instead.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const model = decode(modelType, view, name) as ModelProto;
  if (model.ir_version === undefined || !Object.hasOwn(model, 'ir_version'))
    throw notAModel(name, 'got no ir_version');
  if (!Object.hasOwn(model, 'graph')) throw notAModel(name, 'got no graph');
  return model;
}

/** Decodes one of the functions of a model. @throws EspalierError ERR_ESPALIER_MODEL */
export function decodeFunction(bytes: Uint8Array): FunctionProto {
  return decode(functionType, bytes, 'a function') as FunctionProto;
}

function decode(type: protobuf.Type, bytes: Uint8Array, name: string): protobuf.Message {
  try {
    countItems(type, new protobuf.Reader(bytes), bytes.byteLength, { left: largestItemCount }, 0);
    return type.decode(new protobuf.Reader(bytes));
  } catch (cause) {
    throw notAModel(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function notAModel(name: string, reason: string, cause?: unknown): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${name} to be an ONNX model: ${reason}`, {
    cause,
  });
}

/** Walks the fields of a message up to `end` without building anything, and throws when they are too many. */
function countItems(
  type: protobuf.Type,
  reader: protobuf.Reader,
  end: number,
  budget: { left: number },
  depth: number,
) {
  if (depth > protobuf.Reader.recursionLimit) throw new Error('messages are nested too deeply');
  while (reader.pos < end) {
    const tag = reader.tag();
    const wireType = tag & 7;
    const field = type.fieldsById[tag >>> 3];
    budget.left -= 1;
    const length = wireType === 2 ? reader.size() : 0;
    const fieldEnd = reader.pos + length;
    if (fieldEnd > end)
      throw new RangeError(`field ends at byte ${fieldEnd}, the message that holds it at ${end}`);
    if (wireType !== 2) reader.skipType(wireType, 0, tag >>> 3);
    else if (field?.resolve().resolvedType instanceof protobuf.Type) {
      countItems(field.resolvedType as protobuf.Type, reader, fieldEnd, budget, depth + 1);
    } else {
      if (field?.repeated && field.type !== 'bytes' && field.type !== 'string') budget.left -= length; // packed numbers
      reader.pos = fieldEnd;
    }
    if (budget.left < 0) throw new Error(`more than ${largestItemCount} fields`);
  }
}
