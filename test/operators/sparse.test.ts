import { inputs, outputs, testProducts } from './sparse_products.js';

testProducts([
  {
    name: 'Gemm transB 1',
    dims: (n) => [n, inputs],
    outputDims: (n) => [n, outputs],
    outputs,
    inputs,
    weightDims: [outputs, inputs],
    add: (m, x, w, bias) => m.node('Gemm', bias === '' ? [x, w] : [x, w, bias], { transB: 1 }),
  },
  {
    name: 'Gemm transB 0',
    dims: (n) => [n, inputs],
    outputDims: (n) => [n, outputs],
    outputs,
    inputs,
    weightDims: [inputs, outputs],
    transposed: true,
    add: (m, x, w, bias) => m.node('Gemm', bias === '' ? [x, w] : [x, w, bias]),
  },
  {
    name: 'MatMul',
    dims: (n) => [1, n, inputs],
    outputDims: (n) => [1, n, outputs],
    outputs,
    inputs,
    weightDims: [inputs, outputs],
    transposed: true,
    add: (m, x, w, bias) => {
      const product = m.node('MatMul', [x, w]);
      return bias === '' ? product : m.node('Add', [product, bias]);
    },
  },
]);
