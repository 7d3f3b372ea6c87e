export { analyzeLayer, type LayerAnalysis } from './analyze.js';
export { type BlockSparseRows, fromBlocks, toBlocks } from './bsr.js';
export { type CostContext, type Prediction, predictCost } from './cost.js';
export { changesAt, type FormatChange } from './crossover.js';
export { type ChoiceContext, chooseFormat, type FormatCandidate, type FormatChoice } from './format.js';
export { convert, type PackedMatrix, type PackOptions, pack, unpack } from './pack.js';
export { type Pattern, parsePattern } from './patterns.js';
export { type WeightFormat, type WeightStorage, weightFormats, weightStorages } from './weight_formats.js';
