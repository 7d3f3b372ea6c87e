import { elementwise } from './elementwise.js';
import { layers } from './layers.js';
import { movement } from './movement.js';
import type { Rule } from './rule.js';
import { statisticsRules } from './statistics.js';

/** Rules of the default domain; a node without one pins all that it touches. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  [elementwise, layers, movement, statisticsRules].flatMap((family) => Object.entries(family)),
);

/** Operators that only group axes anew, which is decided when all else is known. */
export const reshapes: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
