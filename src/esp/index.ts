export {
  type CompiledModel,
  type CompiledWeight,
  type CompileOptions,
  compileModel,
} from './compile_model.js';
