import { EspalierError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { type Importance, magnitude, magnitudeLp, random } from './importance.js';
import {
  type ActivationStatistics,
  activationNorm,
  fluctuation,
  ria,
  wanda,
} from './importance_activation.js';
import { fisher, type GradientBatches, snip, snipMomentum, taylor } from './importance_gradient.js';
import { batchNormScale, fpgm, lamp } from './importance_structure.js';
import type { PruneScope } from './options.js';

/** What an importance that is asked for by name may need. */
export interface ImportanceContext {
  readonly graph: Graph;
  readonly statistics?: ActivationStatistics | undefined;
  readonly gradients?: GradientBatches | undefined;
  readonly seed?: number | undefined;
}

interface Method {
  readonly scope: PruneScope;
  readonly needs?: 'statistics' | 'gradients';
  readonly make: (context: Required<ImportanceContext>) => Importance;
}

const methods = {
  magnitude: { scope: 'layer', make: () => magnitude },
  l2: { scope: 'layer', make: () => magnitudeLp(2) },
  wanda: {
    scope: 'row',
    needs: 'statistics',
    make: ({ statistics }) => wanda(statistics as ActivationStatistics),
  },
  ria: {
    scope: 'row',
    needs: 'statistics',
    make: ({ statistics }) => ria(statistics as ActivationStatistics),
  },
  activation: {
    scope: 'row',
    needs: 'statistics',
    make: ({ statistics }) => activationNorm(statistics as ActivationStatistics),
  },
  flap: {
    scope: 'row',
    needs: 'statistics',
    make: ({ statistics }) => fluctuation(statistics as ActivationStatistics),
  },
  lamp: { scope: 'global', make: () => lamp },
  snip: { scope: 'global', needs: 'gradients', make: ({ gradients }) => snip(gradients as GradientBatches) },
  'snip-momentum': {
    scope: 'global',
    needs: 'gradients',
    make: ({ gradients }) => snipMomentum(gradients as GradientBatches),
  },
  taylor: {
    scope: 'global',
    needs: 'gradients',
    make: ({ gradients }) => taylor(gradients as GradientBatches),
  },
  fisher: {
    scope: 'global',
    needs: 'gradients',
    make: ({ gradients }) => fisher(gradients as GradientBatches),
  },
  bn: { scope: 'layer', make: ({ graph }) => batchNormScale(graph) },
  fpgm: { scope: 'layer', make: () => fpgm },
  random: { scope: 'layer', make: ({ seed }) => random(seed as number) },
} as const satisfies Record<string, Method>;

export type ImportanceName = keyof typeof methods;

export const importanceNames = Object.keys(methods) as ImportanceName[];

/** The scope a method's paper compares in, and what data it needs. */
export function methodTraits(name: ImportanceName): Pick<Method, 'scope' | 'needs'> {
  return methods[name];
}

/** @throws EspalierError ERR_ESPALIER_ARGUMENT when the method needs statistics or gradients, and there are none. */
export function importanceByName(name: ImportanceName, context: ImportanceContext): Importance {
  const method: Method = methods[name];
  if (method.needs !== undefined && context[method.needs] === undefined) {
    const wanted = method.needs === 'statistics' ? 'calibration data' : 'gradients by weight name';
    throw new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${wanted} for method ${name}, got none`);
  }
  return method.make({ seed: 0, ...context } as Required<ImportanceContext>);
}
