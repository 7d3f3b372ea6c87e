import type { LayerRequest, WeightPacking } from '../compile/builder.js';
import { algorithmOf } from '../compile/lower/weights.js';
import type { NativeSession, PlanSpec, StepSpec, TensorRef } from '../native/addon.js';
import { cacheBytes } from '../sparse/rates.js';
import { storageIn, type WeightFormat, type WeightStorage } from '../sparse/weight_formats.js';
import { elementCount } from '../tensor.js';

/** Timed rounds of every format: at least so many, and until so many milliseconds of each have passed, or so many. */
const leastRounds = 5;
const mostRounds = 50;
const millisecondsEach = 2;
/** Copies of weights that one run goes through when they have to come from beyond the second-level cache. */
const mostCopies = 8;

export interface MeasureSettings {
  readonly storage: WeightStorage;
  /** Whether other layers' weights push this one's out of the second-level cache between two runs. */
  readonly cold: boolean;
  /** Whether the layer, where it is dense, runs by Winograd's algorithm. */
  readonly winograd: boolean;
}

/** What {@link measureFormats} needs of a native session. */
export type MeasuringSession = Pick<
  NativeSession,
  'addWeights' | 'addWinogradWeights' | 'createPlan' | 'profile'
>;

/**
 * Times a layer alone in each format, on random input: the smallest of several runs after one for warm-up, the formats
 * taking turns so that a slow moment of the machine meets all of them. Microseconds by format.
 */
export function measureFormats(
  session: MeasuringSession,
  request: LayerRequest,
  formats: readonly WeightFormat[],
  { storage, cold, winograd }: MeasureSettings,
): Map<WeightFormat, number> {
  const { choiceBytes, x, y } = operandsOf(request);
  const plans = formats.map((format) => {
    const copies = cold ? Math.min(mostCopies, Math.max(1, Math.ceil((2 * cacheBytes.L2) / choiceBytes))) : 1;
    const steps = Array.from({ length: copies }, () =>
      stepOf(request, session, { format, storage, winograd }),
    );
    return { format, copies, id: session.createPlan(planOf(steps, x, y)), best: Number.POSITIVE_INFINITY };
  });
  const run = (plan: (typeof plans)[number]) =>
    session.profile(plan.id, [x], [y]).reduce((sum, seconds) => sum + seconds, 0) / plan.copies;
  plans.forEach(run);
  let spent = 0;
  for (let round = 0; round < mostRounds; round++) {
    if (round >= leastRounds && spent >= millisecondsEach * plans.length) break;
    for (const plan of plans) {
      const seconds = run(plan);
      plan.best = Math.min(plan.best, seconds);
      spent += seconds * plan.copies * 1000;
    }
  }
  return new Map(plans.map(({ format, best }) => [format, best * 1e6]));
}

function operandsOf({ step, analysis }: LayerRequest) {
  const x = new Float32Array(elementCount(step.x));
  for (let i = 0; i < x.length; i++) x[i] = ((i * 7919) % 2003) / 1001 - 1; // no zeros in a row, no denormals
  return { choiceBytes: analysis.denseStored * 4, x, y: new Float32Array(elementCount(step.y)) };
}

function stepOf(
  { step, matrices }: LayerRequest,
  session: MeasuringSession,
  { format, storage, winograd: denseByWinograd }: Required<WeightPacking>,
): StepSpec {
  const refer = (space: 'input' | 'output', dims: readonly number[]): TensorRef => ({
    space,
    index: 0,
    offset: 0,
    type: 'float32',
    dims,
  });
  const { op, winograd } = algorithmOf(step, { format, winograd: denseByWinograd });
  const add = winograd ? session.addWinogradWeights : session.addWeights;
  return {
    op,
    name: 'tuning',
    inputs: [refer('input', step.x)],
    outputs: [refer('output', step.y)],
    ints: step.ints,
    floats: {},
    weights: matrices.map(({ data, rows, cols, offset, rowStride, colStride }) => {
      const view = [rows, cols, offset, rowStride, colStride] as const;
      return add.call(session, data.bytes, format, storageIn(format, storage), ...view);
    }),
  };
}

function planOf(steps: readonly StepSpec[], x: Float32Array, y: Float32Array): PlanSpec {
  return { arenaBytes: 0, inputBytes: [x.byteLength], outputBytes: [y.byteLength], constants: [], steps };
}
