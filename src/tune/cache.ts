import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { weightFormats } from '../sparse/weight_formats.js';
import { packageVersion } from '../version.js';

/** Nanoseconds that each format took for one token of a layer, by the layer's bucket. */
export type Timings = Record<string, Readonly<Record<string, number>>>;

const mostBytes = 4 * 2 ** 20;
const time = v.pipe(v.number(), v.finite(), v.gtValue(0));
const schema = v.strictObject({
  cpu: v.string(),
  version: v.string(),
  isa: v.string(),
  timings: v.record(v.string(), v.record(v.picklist(weightFormats), time)),
});

/** Where the user's caches are, or undefined when there is no place or the environment turns them off. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env['ESPALIER_CACHE'] === 'off') return undefined;
  const given = env['XDG_CACHE_HOME'] ?? '';
  if (isAbsolute(given)) return join(given, 'espalier');
  try {
    return join(homedir(), '.cache', 'espalier');
  } catch {
    return undefined; // a user without a home, as containers have
  }
}

/**
 * Timings of this CPU, this version and one instruction set, in a file. The file is a help and never a condition: one
 * that cannot be read or does not hold what it should is as good as none, and one that cannot be written is not.
 */
export class TimingCache {
  readonly #file: string;
  readonly #key: { readonly cpu: string; readonly version: string; readonly isa: string };
  #timings: Timings;

  constructor(folder: string, isa: string) {
    this.#key = { cpu: cpus()[0]?.model.trim() ?? 'unknown', version: packageVersion(), isa };
    const hash = createHash('sha256').update(JSON.stringify(this.#key)).digest('hex').slice(0, 16);
    this.#file = join(folder, `tune-${hash}.json`);
    this.#timings = this.#read();
  }

  get(bucket: string): Readonly<Record<string, number>> | undefined {
    return Object.hasOwn(this.#timings, bucket) ? this.#timings[bucket] : undefined;
  }

  /** Keeps the timings of a bucket, and those that another process has written meanwhile. */
  set(bucket: string, timings: Readonly<Record<string, number>>): void {
    this.#timings = { ...this.#read(), ...this.#timings, [bucket]: timings };
    const temporary = `${this.#file}.${randomUUID()}.tmp`;
    try {
      mkdirSync(join(this.#file, '..'), { recursive: true, mode: 0o700 });
      writeFileSync(temporary, JSON.stringify({ ...this.#key, timings: this.#timings }), { flag: 'wx' });
      renameSync(temporary, this.#file); // a reader sees the old file or the new one, never half of one
    } catch {
      removeIfThere(temporary);
    }
  }

  #read(): Timings {
    try {
      const found = statSync(this.#file);
      if (!found.isFile() || found.size > mostBytes) return {}; // a pipe or a device may never end
      const parsed = v.safeParse(schema, JSON.parse(readFileSync(this.#file, 'utf8')));
      if (!parsed.success) return {};
      const { cpu, version, isa, timings } = parsed.output;
      const ours = cpu === this.#key.cpu && version === this.#key.version && isa === this.#key.isa;
      return ours ? timings : {};
    } catch {
      return {};
    }
  }
}

function removeIfThere(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // What kept it from being written keeps it from being removed.
  }
}
