export { keptImportance } from './kept.js';
export { applyPermutation, type PermutationOptions, type PermutationPlan, planPermutation } from './plan.js';
