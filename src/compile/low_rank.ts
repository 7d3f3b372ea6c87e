import { floatAttribute, intAttribute, intValue } from '../graph/attributes.js';
import { readElements, readNumbers } from '../graph/data.js';
import type { Node, StaticGraph, TensorData } from '../graph/graph.js';
import { elementCount } from '../tensor.js';
import { countUses, findProducers } from './uses.js';

/**
 * A node that no model has: y = x W + (x B) A (+ bias), with inputs [x, [W; A], bias or '', B]. The second is
 * [inputs + rank, outputs]; B is [inputs, rank], or [rank, inputs] when the attribute transB is 1.
 */
export const lowRankProduct = 'LowRankMatMul';

/** A rank of more than this share of either side costs about as much as a product without it. */
const largestRank = 1 / 4;

/** factor * x W (+ bias); W is [inputs, outputs], or [outputs, inputs] when transposed. */
interface Product {
  readonly node: Node;
  readonly x: string;
  readonly weight: string;
  readonly transposed: boolean;
  readonly factor: number;
  readonly bias: string;
}

/**
 * Rewrites x W + (x B) A, a sparse weight with a correction of low rank, to one node: y = [x, x B] [W; A], which reads
 * x once and writes y once.
 */
export function fuseLowRank(graph: StaticGraph): StaticGraph {
  const view = new ProductView(graph);
  const constants = new Map(graph.constants);
  const values = new Map(graph.values);
  const nodes = graph.nodes.map((node) => {
    const match = matchSum(view, node);
    if (match === undefined) return node;
    const { sparse, inner, outer } = match;
    const weight = stacked(graph, sparse, outer, inner.factor * outer.factor);
    let name = `espalier/${node.outputs[0]}/stacked`;
    while (values.has(name)) name += '_';
    constants.set(name, weight);
    values.set(name, { type: weight.type, dims: weight.dims });
    const bias = sparse.bias === '' ? outer.bias : sparse.bias;
    return {
      ...node,
      name: sparse.node.name,
      op: lowRankProduct,
      inputs: [sparse.x, name, bias, inner.weight],
      attributes: new Map([['transB', intValue(inner.transposed ? 1 : 0)]]),
    };
  });
  return values.size === graph.values.size ? graph : { ...graph, nodes, constants, values };
}

/** The three products of a sum that can become one node. */
function matchSum(view: ProductView, node: Node) {
  if (node.op !== 'Add' || node.domain !== '') return undefined;
  const [a = '', b = ''] = node.inputs;
  const dims = (name: string) => view.graph.values.get(name)?.dims.join();
  if (a === b || dims(a) !== dims(b)) return undefined;
  for (const [first, second] of [
    [a, b],
    [b, a],
  ] as const) {
    const sparse = view.product(first);
    const outer = view.product(second);
    const inner = outer === undefined ? undefined : view.product(outer.x);
    if (sparse === undefined || outer === undefined || inner === undefined) continue;
    const plain = sparse.factor === 1 && inner.bias === '' && (sparse.bias === '' || outer.bias === '');
    const [inputs, outputs] = view.shape(sparse);
    const [innerInputs, rank] = view.shape(inner);
    const isSmall = rank <= Math.min(inputs, outputs) * largestRank;
    if (plain && isSmall && inner.x === sparse.x && innerInputs === inputs) return { sparse, outer, inner };
  }
  return undefined;
}

/** Finds products by constant weights behind values that nothing else reads. */
class ProductView {
  readonly graph: StaticGraph;
  readonly #producers: ReadonlyMap<string, Node>;
  readonly #uses: ReadonlyMap<string, number>;

  constructor(graph: StaticGraph) {
    this.graph = graph;
    this.#producers = findProducers(graph);
    this.#uses = countUses(graph);
  }

  product(value: string): Product | undefined {
    const node = this.#producers.get(value);
    if (node === undefined || node.domain !== '' || this.#uses.get(value) !== 1) return undefined;
    const [a = '', b = '', c = ''] = node.inputs;
    switch (node.op) {
      case 'MatMul':
        return this.#isMatrix(b) ? { ...plain, node, x: a, weight: b } : undefined;
      case 'Gemm': {
        const gemm = { ...plain, node, x: a, weight: b, transposed: intAttribute(node, 'transB', 0) !== 0 };
        const scaled = floatAttribute(node, 'alpha', 1) !== 1 || intAttribute(node, 'transA', 0) !== 0;
        if (scaled || !this.#isMatrix(b)) return undefined;
        if (c === '') return gemm;
        const isBias = floatAttribute(node, 'beta', 1) === 1 && this.#isBias(c, gemm);
        return isBias ? { ...gemm, bias: c } : undefined;
      }
      case 'Add':
        return this.#biased(a, b) ?? this.#biased(b, a);
      case 'Mul':
        return this.#scaled(a, b) ?? this.#scaled(b, a);
      default:
        return undefined;
    }
  }

  /** [inputs, outputs] */
  shape({ weight, transposed }: Pick<Product, 'weight' | 'transposed'>): [number, number] {
    const [rows = 0, columns = 0] = this.graph.constants.get(weight)?.dims ?? [];
    return transposed ? [columns, rows] : [rows, columns];
  }

  #biased(value: string, bias: string): Product | undefined {
    if (!this.graph.constants.has(bias)) return undefined;
    const product = this.product(value);
    return product !== undefined && product.bias === '' && this.#isBias(bias, product)
      ? { ...product, bias }
      : undefined;
  }

  #scaled(value: string, factor: string): Product | undefined {
    const data = this.graph.constants.get(factor);
    const rank = this.graph.values.get(value)?.dims.length ?? 0;
    if (data?.type !== 'float32' || elementCount(data.dims) !== 1 || data.dims.length > rank)
      return undefined;
    const product = this.product(value);
    return product?.bias === ''
      ? { ...product, factor: product.factor * (readNumbers(data)[0] as number) }
      : undefined;
  }

  #isMatrix(name: string): boolean {
    const data = this.graph.constants.get(name);
    return data?.type === 'float32' && data.dims.length === 2 && !data.dims.includes(0);
  }

  /** One constant number for each output. */
  #isBias(name: string, product: Pick<Product, 'weight' | 'transposed'>): boolean {
    const data = this.graph.constants.get(name);
    const outputs = this.shape(product)[1];
    return data?.type === 'float32' && elementCount(data.dims) === outputs && data.dims.at(-1) === outputs;
  }
}

const plain = { transposed: false, factor: 1, bias: '' } as const;

/** Weights that were stacked before, by W: plans for other shapes use them again. */
const known = new WeakMap<
  TensorData,
  { readonly a: TensorData; readonly key: string; readonly data: TensorData }[]
>();

/** [W; factor * A] as [inputs + rank, outputs]. */
function stacked(graph: StaticGraph, sparse: Product, outer: Product, factor: number): TensorData {
  const w = graph.constants.get(sparse.weight) as TensorData;
  const a = graph.constants.get(outer.weight) as TensorData;
  const key = [sparse.transposed, outer.transposed, factor].join();
  const found = known.get(w)?.find((one) => one.a === a && one.key === key);
  if (found !== undefined) return found.data;
  const parts = [rowMajor(w, sparse.transposed), rowMajor(a, outer.transposed)] as const;
  const values = new Float32Array(parts[0].length + parts[1].length);
  values.set(parts[0]);
  values.set(factor === 1 ? parts[1] : parts[1].map((value) => value * factor), parts[0].length);
  const outputs = (sparse.transposed ? w.dims[0] : w.dims[1]) as number;
  const dims = [values.length / outputs, outputs];
  const data: TensorData = { type: 'float32', dims, bytes: new Uint8Array(values.buffer) };
  known.set(w, [...(known.get(w) ?? []), { a, key, data }]);
  return data;
}

/** A matrix as [inputs, outputs]. */
function rowMajor(data: TensorData, transposed: boolean): Float32Array {
  const values = readElements(data) as Float32Array;
  const [rows = 0, columns = 0] = data.dims;
  if (!transposed) return values;
  return Float32Array.from(
    { length: values.length },
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] as number,
  );
}
