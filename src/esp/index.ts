export {
  type CompiledModel,
  type CompiledWeight,
  type CompileOptions,
  compileModel,
} from './compile_model.js';
export { readModel } from './read_model.js';
