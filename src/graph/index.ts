export {
  choiceAttribute,
  floatAttribute,
  floatsAttribute,
  floatValue,
  intAttribute,
  intsAttribute,
  intsValue,
  intValue,
  stringValue,
  tensorAttribute,
} from './attributes.js';
export { GraphBuilder, type PlainAttribute } from './builder.js';
export { canonicalize } from './canonicalize.js';
export { fromNumbers, readNumbers } from './data.js';
export type { Attribute, Dim, Graph, Node, StaticGraph, TensorData, ValueInfo } from './graph.js';
export { historyOf, withHistory } from './history.js';
export { type LoadWeightsOptions, loadWeights } from './load_weights.js';
export type { OperatorDefinition, TypeAndDims } from './operators/definition.js';
export { operators } from './operators/registry.js';
export { transposedWindowOf, type Window, windowOf } from './operators/window.js';
export { sortGraph } from './order.js';
export { specialize } from './specialize.js';
export { assertSupported } from './supported.js';
