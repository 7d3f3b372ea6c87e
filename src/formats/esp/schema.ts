import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import { layerOperators } from '../../graph/layers.js';
import { isPattern, type Pattern } from '../../sparse/patterns.js';
import { weightFormats, weightStorages } from '../../sparse/weight_formats.js';
import { elementCount } from '../../tensor.js';
import type { CompiledFor, WeightEntry } from './layout.js';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const size = v.pipe(count, v.minValue(1));
const pattern = v.custom<Pattern | 'dense'>((value) => value === 'dense' || isPattern(value), 'a pattern');

const entries = v.array(
  v.strictObject({
    name: v.string(),
    view: v.strictObject({
      op: v.picklist(layerOperators),
      groups: size,
      outputs: size,
      inputs: size,
      transposed: v.boolean(),
    }),
    counts: v.strictObject({
      zeros: count,
      denormals: count,
      pattern,
      blocks: v.strictObject({ '16x1': count, '8x1': count, '4x1': count }),
      rowBalance: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      // JSON has neither of the two that it may be in place of a number, and they mean the same.
      largest: v.pipe(
        v.nullable(v.number()),
        v.transform((value) => value ?? Number.NaN),
      ),
      emptyOutputs: count,
      emptyInputs: count,
    }),
    packed: v.optional(
      v.strictObject({
        format: v.picklist(weightFormats),
        storage: v.picklist(weightStorages),
        sections: v.record(v.string(), v.string()),
        matrices: v.array(
          v.strictObject({
            rows: size,
            blockCols: count,
            chunkRows: count,
            sizes: v.record(v.string(), count),
          }),
        ),
      }),
    ),
  }),
);

const compiledFor = v.object({
  by: v.string(),
  isa: v.string(),
  storage: v.picklist(weightStorages),
  shapes: v.optional(v.record(v.string(), v.array(count))),
  tokens: v.optional(size),
});

/** @throws EspalierError ERR_ESPALIER_MODEL when the text is not the JSON of weight entries that fit together. */
export function parseWeights(text: string, what: string): readonly WeightEntry[] {
  const weights = parse(entries, text, `the weights of ${what}`);
  const names = new Set<string>();
  for (const { name, view, counts, packed } of weights) {
    const { groups, outputs, inputs, transposed } = view;
    const all = elementCount([groups, outputs, inputs]);
    const sane =
      Number.isSafeInteger(all) &&
      counts.zeros + counts.denormals <= all &&
      !(transposed && groups > 1) &&
      (packed === undefined ||
        packed.matrices.reduce((sum, { rows }) => sum + rows, 0) === groups * outputs) &&
      !(transposed && packed !== undefined && packed.matrices.length > 1);
    if (!sane || names.has(name)) {
      const reason = sane ? 'twice' : 'with numbers that do not fit together';
      throw invalid(`the weights of ${what}`, `one entry for ${JSON.stringify(name)}, got it ${reason}`);
    }
    names.add(name);
  }
  return weights;
}

/** @throws EspalierError ERR_ESPALIER_MODEL */
export function parseCompiledFor(text: string, what: string): CompiledFor {
  return parse(compiledFor, text, `what ${what} was compiled for`);
}

function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  what: string,
): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(what, `JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = (issue.path ?? []).map(({ key }) => String(key)).join('.');
  throw invalid(what, `${issue.expected ?? issue.message} at "${where}", got ${issue.received}`);
}

function invalid(what: string, expected: string, cause?: unknown): EspalierError {
  return new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to hold ${expected}`, { cause });
}
