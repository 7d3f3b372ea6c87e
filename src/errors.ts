/** Every code an {@link EspalierError} can carry. `native/core/error.h` holds the same list; a test compares them. */
export const errorCodes = [
  'ERR_ESPALIER_ARGUMENT', // an argument or option is unknown, missing or out of range
  'ERR_ESPALIER_FILE', // a file cannot be read or written
  'ERR_ESPALIER_MODEL', // the model's bytes are not a valid model
  'ERR_ESPALIER_UNSUPPORTED', // a valid model uses something espalier does not run
  'ERR_ESPALIER_INPUT', // a feed is missing or not an input of the model
  'ERR_ESPALIER_TYPE', // a tensor has the wrong data type
  'ERR_ESPALIER_SHAPE', // a tensor has the wrong dims, or dims that do not fit together
  'ERR_ESPALIER_RELEASED', // the session was released
  'ERR_ESPALIER_TARGET', // no pruning within the given bounds meets a target
  'ERR_ESPALIER_MEMORY', // memory could not be allocated
  'ERR_ESPALIER_NATIVE', // the native addon cannot be loaded
  'ERR_ESPALIER_INTERNAL', // a defect in espalier
] as const;

export type EspalierErrorCode = (typeof errorCodes)[number];

/** The one error class espalier throws: `code` says what kind, `message` what was expected, what came, and where. */
export class EspalierError extends Error {
  override readonly name = 'EspalierError';
  readonly code: EspalierErrorCode;

  constructor(code: EspalierErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
