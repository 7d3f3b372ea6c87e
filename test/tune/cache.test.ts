import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolder, TimingCache } from '../../src/tune/cache.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-timings-'));
});
afterEach(() => rm(folder, { recursive: true }));

const timings = { dense: 12.5, block16: 3 };
const onlyFile = async () => path.join(folder, (await readdir(folder))[0] ?? '');

describe('the cache of timings', () => {
  test('gives back what another session kept, for the same instruction set alone', async () => {
    new TimingCache(folder, 'avx2').set('bucket', timings);
    expect(new TimingCache(folder, 'avx2').get('bucket')).toEqual(timings);
    expect(new TimingCache(folder, 'avx2').get('other')).toBeUndefined();
    expect(new TimingCache(folder, 'scalar').get('bucket')).toBeUndefined();
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^tune-[0-9a-f]{16}\.json$/)]);
  });

  test('keeps what two sessions write at the same time', () => {
    const [first, second] = [new TimingCache(folder, 'avx2'), new TimingCache(folder, 'avx2')];
    first.set('a', { dense: 1 });
    second.set('b', { dense: 2 });
    const third = new TimingCache(folder, 'avx2');
    expect([third.get('a'), third.get('b')]).toEqual([{ dense: 1 }, { dense: 2 }]);
  });

  test('names of objects are no buckets', () => {
    const cache = new TimingCache(folder, 'avx2');
    for (const name of ['__proto__', 'constructor', 'toString']) expect(cache.get(name)).toBeUndefined();
  });

  test.each([
    ['nothing', () => ''],
    ['half a file', (text: string) => text.slice(0, text.length / 2)],
    ['other JSON', () => '[1, null, {"timings": 3}]'],
    ['zero', (text: string) => text.replace('12.5', '0')],
    ['a negative time', (text: string) => text.replace('12.5', '-1')],
    ['infinity', (text: string) => text.replace('12.5', '1e999')],
    ['text', (text: string) => text.replace('12.5', '"fast"')],
    ['an unknown format', (text: string) => text.replace('block16', 'block99')],
    ['an unknown key', (text: string) => text.replace('"timings"', '"more":1,"timings"')],
    ['another CPU', (text: string) => text.replace(/"cpu":"[^"]*"/, '"cpu":"other"')],
    ['another version', (text: string) => text.replace(/"version":"[^"]*"/, '"version":"0.0.0"')],
    ['a huge file', (text: string) => text + ' '.repeat(5 * 2 ** 20)],
  ])('%s in the file is as good as no file, and is written over', async (_name, change) => {
    new TimingCache(folder, 'avx2').set('bucket', timings);
    const file = await onlyFile();
    const text = await readFile(file, 'utf8');
    await writeFile(file, change(text));
    const cache = new TimingCache(folder, 'avx2');
    expect(cache.get('bucket')).toBeUndefined();
    cache.set('bucket', timings);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('a folder that cannot be made or written is no error, and leaves nothing behind', async () => {
    await writeFile(path.join(folder, 'file'), '');
    const inFile = new TimingCache(path.join(folder, 'file', 'below'), 'avx2');
    inFile.set('bucket', timings);
    expect(inFile.get('bucket')).toEqual(timings);
    if (process.getuid?.() === 0) return; // root may write anywhere
    await chmod(folder, 0o500);
    new TimingCache(folder, 'avx2').set('bucket', timings);
    await chmod(folder, 0o700);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('a link in its place is replaced, not followed', async () => {
    new TimingCache(folder, 'avx2').set('bucket', timings);
    const file = await onlyFile();
    const victim = path.join(folder, 'victim');
    await writeFile(victim, 'precious');
    await rm(file);
    await symlink(victim, file);
    new TimingCache(folder, 'avx2').set('bucket', timings);
    expect(await readFile(victim, 'utf8')).toBe('precious');
    expect(new TimingCache(folder, 'avx2').get('bucket')).toEqual(timings);
  });
});

test('the folder follows the environment', () => {
  expect(cacheFolder({ ESPALIER_CACHE: 'off', XDG_CACHE_HOME: '/x' })).toBeUndefined();
  expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/espalier');
  for (const env of [{}, { XDG_CACHE_HOME: '' }, { XDG_CACHE_HOME: 'relative' }])
    expect(cacheFolder(env)).toBe(path.join(homedir(), '.cache', 'espalier'));
});
