import { cutGraph } from '../graph/cut.js';
import type { Graph } from '../graph/graph.js';
import { freeArrays } from '../native/addon.js';
import { InferenceSession } from '../session.js';
import type { Tensor, TensorMap } from '../tensor.js';
import { frontiersOf, type Stop } from './frontier.js';
import { checkSamples, type Samples } from './samples.js';

/** Values of a graph for one sample, by name. */
export type Values = ReadonlyMap<string, Tensor>;

/** What is kept of a sample: the frontier of a stop, in each graph. */
interface Kept {
  readonly stop: number;
  readonly values: readonly Values[];
  readonly bytes: number;
}

export interface WalkOptions {
  readonly threads: number;
  /** How many bytes of activations may be kept, of all samples and graphs together. */
  readonly keep: number;
  /** Whether values are freed once they were visited, unless they are kept: nobody may hold on to them. */
  readonly free: boolean;
}

/** Of smaller models activations are what takes memory, and running again what takes time. */
const smallModel = 2 ** 26; // bytes

/**
 * The bytes of activations that are kept when nobody says how many: a quarter of a graph's constants, so that with the
 * pruned graph and the matrices of a layer a run takes about three times the model; of a small model as much as 64 MiB.
 */
export function keptBytes(graph: Graph): number {
  const bytes = [...graph.constants.values()].reduce((sum, data) => sum + data.bytes.length, 0);
  return bytes < smallModel ? smallModel : bytes / 4;
}

/**
 * Runs samples through a graph whose weights change on the way, stop after stop. Between stops it keeps the activations
 * of one frontier for as many samples as fit the bound, so that each part of the graph runs once; the other samples
 * start from the last frontier that was kept of them, part after part, which gives the same bits.
 */
export class SampleWalk {
  readonly #samples: Samples;
  readonly #stops: readonly Stop[];
  readonly #frontiers: readonly (readonly string[])[];
  readonly #options: WalkOptions;
  readonly #kept: Kept[];
  #bytes = 0;

  /**
   * @param graph the names of whose values are those of every graph that is walked
   * @throws EspalierError as {@link checkSamples}
   */
  constructor(graph: Graph, samples: Samples, stops: readonly Stop[], options: WalkOptions) {
    checkSamples(samples, graph.inputs);
    this.#samples = samples;
    this.#stops = stops;
    this.#frontiers = frontiersOf(graph, stops);
    this.#options = options;
    this.#kept = samples.map(() => ({ stop: -1, values: [], bytes: 0 }));
  }

  /**
   * Calls `visit` for one sample after the other with what a stop looks at, in each of the graphs. They are always the
   * same in number, and have changed since the last call only where stops before this one change them.
   */
  async at(
    stop: number,
    graphs: readonly Graph[],
    visit: (values: readonly Values[], index: number) => void | Promise<void>,
  ): Promise<void> {
    const frontier = this.#frontiers[stop] as readonly string[];
    const { views } = this.#stops[stop] as Stop;
    const { threads, free } = this.#options;
    const parts = graphs.map(() => new Map<number, Part>());
    const lastParts = graphs.map((graph) => new Part(graph, views, threads));
    try {
      for (const [index, sample] of this.#samples.entries()) {
        const kept = this.#kept[index] as Kept;
        const seen: Values[] = [];
        const values: Values[] = [];
        const passed: Values[] = [...kept.values];
        for (const [track, graph] of graphs.entries()) {
          let now = kept.values[track] ?? new Map();
          for (let k = kept.stop + 1; k <= stop; k++) {
            const known = parts[track] as Map<number, Part>;
            const part = known.get(k) ?? new Part(graph, this.#frontiers[k] as readonly string[], threads);
            known.set(k, part);
            now = await part.run(now, sample);
            passed.push(now);
          }
          values.push(now);
          seen.push(await (lastParts[track] as Part).run(now, sample));
        }
        this.#keep(index, { stop, values, bytes: bytesOf(values, frontier, sample) });
        await visit(seen, index);
        if (free) this.#free([...passed, ...seen], index);
      }
    } finally {
      for (const part of [...parts.flatMap((known) => [...known.values()]), ...lastParts]) part.release();
    }
  }

  #keep(index: number, next: Kept): void {
    const bytes = this.#bytes - (this.#kept[index] as Kept).bytes + next.bytes;
    if (bytes > this.#options.keep) return;
    this.#bytes = bytes;
    this.#kept[index] = next;
  }

  /** Frees the values of a sample that are not kept. */
  #free(passed: readonly Values[], index: number): void {
    const staying = [...(this.#kept[index] as Kept).values.flatMap((values) => [...values.values()])];
    const needed = new Set([...staying, ...Object.values(this.#samples[index] ?? {})]);
    const tensors = passed.flatMap((values) => [...values.values()]).filter((tensor) => !needed.has(tensor));
    freeArrays(...tensors.map(({ data }) => data));
  }
}

/** The part of a graph between a frontier and some values behind it. */
class Part {
  readonly #graph: Graph;
  readonly #wanted: readonly string[];
  readonly #threads: number;
  #session: InferenceSession | undefined;

  constructor(graph: Graph, wanted: readonly string[], threads: number) {
    this.#graph = graph;
    this.#wanted = wanted;
    this.#threads = threads;
  }

  /** The wanted values, from those of a frontier and the inputs of the graph. */
  async run(given: Values, sample: TensorMap): Promise<Values> {
    const known = (name: string) =>
      given.get(name) ?? (Object.hasOwn(sample, name) ? sample[name] : undefined);
    const missing = this.#wanted.filter((name) => known(name) === undefined);
    let computed: TensorMap = {};
    if (missing.length > 0) {
      this.#session ??= this.#open(given, missing);
      const feeds = this.#session.inputNames.map((name) => [name, known(name) as Tensor] as const);
      computed = await this.#session.run(Object.fromEntries(feeds));
    }
    return new Map(this.#wanted.map((name) => [name, (known(name) ?? computed[name]) as Tensor]));
  }

  #open(given: Values, missing: readonly string[]): InferenceSession {
    const inputs = [...given].map(([name, { type }]) => ({ name, type }));
    const fed = new Set(this.#graph.inputs.map(({ name }) => name));
    const cut = cutGraph(
      this.#graph,
      missing,
      inputs.filter(({ name }) => !fed.has(name)),
    );
    return InferenceSession.fromGraph(cut, { threads: this.#threads });
  }

  release(): void {
    this.#session?.release();
  }
}

/** What keeping a frontier costs: samples are there anyway. */
function bytesOf(values: readonly Values[], frontier: readonly string[], sample: TensorMap): number {
  const own = frontier.filter((name) => !Object.hasOwn(sample, name));
  return values.reduce(
    (sum, known) => own.reduce((all, name) => all + (known.get(name)?.data.byteLength ?? 0), sum),
    0,
  );
}
