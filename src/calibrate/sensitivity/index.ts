export { allocateBySensitivity } from './allocate.js';
export { measureSensitivity, type SampleLoss, type SensitivityOptions } from './measure.js';
export { sensitivityPicture } from './picture.js';
export {
  type LayerSensitivity,
  parseSensitivity,
  type SensitivityMeasure,
  type SensitivityPoint,
  type SensitivityReport,
} from './report.js';
