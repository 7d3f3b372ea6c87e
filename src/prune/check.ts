import * as v from 'valibot';
import { layerOperators } from '../graph/layers.js';
import { parseOptions } from '../options.js';
import { isPattern, type Pattern, patternForms } from '../sparse/patterns.js';
import type { PlannedLayer } from './plan.js';

/** What applying a plan reads of each layer. */
export type CheckedLayer = Pick<
  PlannedLayer,
  'name' | 'nodes' | 'op' | 'weight' | 'groups' | 'outputs' | 'inputs' | 'pattern' | 'mask'
>;

const name = v.string('a string');
const size = v.number('a number');

const layer = v.object(
  {
    name,
    nodes: v.pipe(
      v.array(name, 'an array of layer names'),
      v.check((nodes) => new Set(nodes).size === nodes.length, 'an array of layer names, each once'),
    ),
    op: v.picklist(layerOperators, `one of ${layerOperators.join(', ')}`),
    weight: name,
    groups: size,
    outputs: size,
    inputs: size,
    pattern: v.custom<Pattern>(isPattern, patternForms),
    mask: v.instance(Uint8Array, 'a Uint8Array (JSON does not keep masks: they have to stay Uint8Array)'),
  },
  objectMessage,
);

const schema = v.object({ layers: v.array(layer, 'an array of planned layers') }, objectMessage);

/**
 * The layers of a plan that may come from anywhere; whether they fit a graph is another question.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT
 */
export function checkedLayers(plan: unknown): readonly CheckedLayer[] {
  return parseOptions(schema, plan, 'pruning plan').layers;
}

/** Valibot asks the object's message for keys that are missing as well. */
function objectMessage(issue: { readonly expected: string | null }): string {
  return issue.expected === 'Object' ? 'an object' : 'given';
}
