import { inputs, outputs, testProducts } from './sparse_products.js';

testProducts([
  {
    name: 'Conv',
    dims: (n) => [1, 5, 3, n],
    outputDims: (n) => [1, outputs, 3, n],
    outputs,
    inputs,
    weightDims: [outputs, 5, 3, 3],
    add: (m, x, w, bias) => m.node('Conv', bias === '' ? [x, w] : [x, w, bias], { pads: [1, 1, 1, 1] }),
  },
  {
    name: 'grouped Conv',
    dims: (n) => [1, 10, 3, n],
    outputDims: (n) => [1, 2 * outputs, 3, n],
    outputs: 2 * outputs,
    inputs,
    weightDims: [2 * outputs, 5, 3, 3],
    add: (m, x, w, bias) =>
      m.node('Conv', bias === '' ? [x, w] : [x, w, bias], { pads: [1, 1, 1, 1], group: 2 }),
  },
]);
