import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'espalier-types-'));
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(root, path.join(folder, 'node_modules/espalier'));
  for (const name of ['onnxruntime-node', '@types'])
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name));
});
afterAll(() => rm(folder, { recursive: true }));

const module: ts.CompilerOptions = { module: ts.ModuleKind.NodeNext };
const commonJs: ts.CompilerOptions = {
  module: ts.ModuleKind.CommonJS,
  moduleResolution: ts.ModuleResolutionKind.Node10,
  esModuleInterop: true,
};
const libraries = new Map<string, ts.SourceFile | undefined>();

/** A user's programs, in files with their numbers as names. */
async function compile(programs: readonly string[], options: ts.CompilerOptions): Promise<ts.Program> {
  const files = programs.map((_, i) => path.join(folder, `${i}.${options === commonJs ? 'cts' : 'mts'}`));
  await Promise.all(files.map((file, i) => writeFile(file, programs[i] ?? '')));
  const all: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true, // onnxruntime-common's own declarations need a browser's
    lib: ['lib.es2022.d.ts'],
    types: ['node'],
    ...options,
  };
  const host = ts.createCompilerHost(all);
  const read = host.getSourceFile.bind(host);
  host.getCurrentDirectory = () => folder;
  // The libraries of TypeScript and Node are the same for all programs, and most of the work.
  host.getSourceFile = (name, ...rest) => {
    if (!/\/(typescript\/lib|@types)\//.test(name)) return read(name, ...rest);
    if (!libraries.has(name)) libraries.set(name, read(name, ...rest));
    return libraries.get(name);
  };
  return ts.createProgram(files, all, host);
}

/** The errors of a user's programs, as text, each with the number of its program and its line. */
async function errorsOf(programs: readonly string[], options: ts.CompilerOptions): Promise<string[]> {
  const diagnostics = ts.getPreEmitDiagnostics(await compile(programs, options));
  return diagnostics.map(({ file: where, start = 0, messageText }) => {
    const line = where === undefined ? 0 : where.getLineAndCharacterOfPosition(start).line + 1;
    return `${path.basename(where?.fileName ?? '')}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

const textOf = (name: string) => readFile(new URL(`programs/${name}.ts`, import.meta.url), 'utf8');

test.each<[kind: string, options: ts.CompilerOptions]>([
  ['modules', module],
  ['CommonJS', commonJs],
])('programs for onnxruntime-node compile with either import: %s', async (_kind, options) => {
  const text = await textOf('classifier');
  const programs = [text, text.replace('import * as ort from', 'import ort from')];
  const own = programs.map((program) => program.replace("'onnxruntime-node'", "'espalier/onnxruntime'"));
  for (const program of own) expect(program).toMatch(/^import (\* as )?ort from 'espalier/m);
  expect(await errorsOf([...programs, ...own], options)).toEqual([]);
});

test.each([['ES2022'], ['ES2022 and DOM']])('types of both are each other, with %s', async (names) => {
  const lib = names.split(' and ').map((name) => `lib.${name.toLowerCase()}.d.ts`);
  expect(await errorsOf([await textOf('both')], { ...module, lib })).toEqual([]);
});

test('CommonJS finds the types of every part of the package', async () => {
  const parts = Object.entries(manifest.exports).filter(([, entry]) => typeof entry === 'object');
  expect(parts.length).toBeGreaterThan(10);
  const lines = parts.map(([name], i) => `import * as part${i} from '${path.posix.join('espalier', name)}';`);
  const used = `export type All = [${parts.map((_, i) => `typeof part${i}`).join(', ')}];`;
  expect(await errorsOf([[...lines, used].join('\n')], commonJs)).toEqual([]);
});

/** What a file of a program exports, and what the namespaces in it do: `InferenceSession.RunOptions`. */
function namesIn(program: ts.Program, file: string): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFiles().find(({ fileName }) => fileName.endsWith(file));
  const symbol = source && checker.getSymbolAtLocation(source);
  if (symbol === undefined) throw new Error(`expected ${file} in the program`);
  return checker.getExportsOfModule(symbol).flatMap((name) => {
    const what = name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name;
    const inner = what.flags & ts.SymbolFlags.Namespace ? checker.getExportsOfModule(what) : [];
    return [name.name, ...inner.map((item) => `${name.name}.${item.name}`)];
  });
}

test('no other names are missing than the documentation says', async () => {
  const program = await compile([await textOf('both')], module);
  const own = new Set(namesIn(program, '/dist/onnxruntime/api.d.ts'));
  const missing = namesIn(program, 'onnxruntime-node/dist/index.d.ts').filter((name) => !own.has(name));
  const images = /Image|^Options?[A-Z]|^TensorTo|^TensorFrom|^ConversionUtils$/;
  const elsewhere = /Gpu|Texture|MLTensor|WebNN|Wasm|^CpuPinnedConstructorParameters$/;
  const files = /^(File|ExternalData|OnnxModelOptions)/;
  const never = /^NonTensorType$|ValueMetadataBase$/; // neither is of use to a program
  const expected = [images, elsewhere, files, /^TRACE/, never];
  expect(missing.filter((name) => !expected.some((pattern) => pattern.test(name)))).toEqual([]);
  expect(missing.length).toBeGreaterThan(expected.length);
});
