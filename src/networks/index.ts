export {
  type DenseNetOptions,
  type DiffusionOptions,
  denseNet,
  diffusionUNet,
  type UNetOptions,
  uNet,
} from './joined.js';
export { type ConvOptions, LayerBuilder } from './layers.js';
export {
  efficientNetB0,
  type MobileOptions,
  mobileNetV2,
  type ShuffleOptions,
  shuffleNetV2,
} from './mobile.js';
export { type LstmOptions, lstmPolicy, type MlpOptions, mlpPolicy } from './policies.js';
export { type PolicyOptions, type ResNetOptions, resnet, resnetPolicy } from './residual.js';
export { type LlamaOptions, llama, type VitOptions, vit } from './transformers.js';
