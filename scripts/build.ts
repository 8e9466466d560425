/**
 * Builds dist/ in about a second: the command, the daemon and the package, the processes the daemon starts, the type
 * declarations of the package API, the JSON Schema of the job file, the manual page and the page.
 *
 * Bundled because date-fns-tz and its like cost over a second when imported as they lie in node_modules. The short commands
 * are CommonJS: as ES modules in chunks they took 10 ms more. `list` and `status` are files of their own, and so is the large YAML parser,
 * since what a file holds costs time whether it is used or not.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { licensesOf } from './licenses.ts';
import { buildPage } from './page.ts';
import { build, type BuildOptions, type OutputFile, type Plugin } from 'esbuild';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');

/** What is imported or started by name. Chunks lie beside it, so `import.meta.url` of any part is in dist/. */
const modules = {
  start: 'src/cli/start.ts',
  'run-once': 'src/cli/run-once.ts',
  import: 'src/cli/import.ts',
  notify: 'src/cli/notify.ts',
  index: 'src/index.ts',
  'config-child': 'src/config/child.ts',
  'module-host': 'src/tasks/module-host.ts',
  'thread-host': 'src/tasks/thread-host.ts',
  'store-thread': 'src/store/sqlite/thread.ts',
  'simulate-thread': 'src/simulate/thread.ts',
};

/** Files of dist/ by the import, always a dynamic one, that asks for them. */
const apart: Plugin = {
  name: 'apart',
  setup(building) {
    const files: Readonly<Record<string, string>> = {
      './start.ts': './start.js',
      './run-once.ts': './run-once.js',
      './import.ts': './import.js',
      './notify.ts': './notify.js',
      './syntax.ts': './syntax.cjs',
      './main.ts': './cli.cjs',
      './live-list.ts': './live-list.cjs',
    };
    building.onResolve({ filter: /^\.\// }, ({ path, kind }) => {
      const file = kind === 'dynamic-import' ? files[path] : undefined;
      return file === undefined ? undefined : { path: file, external: true };
    });
  },
};

/**
 * Node's own modules, fetched instead of imported: the CommonJS packages in the bundle call `require`, which an ES module
 * does not have, and importing `node:fs` makes Node look at every export of it, which loads half of its library.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup(building) {
    const names = new Set(builtinModules);
    building.onResolve({ filter: /^(?:node:)?[a-z_/]+$/ }, ({ path }) =>
      path.startsWith('node:') || names.has(path)
        ? { path: path.replace(/^(?:node:)?/, 'node:'), namespace: 'builtin' }
        : undefined,
    );
    building.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

interface Bundled {
  readonly files: readonly OutputFile[];
  readonly licenses: string;
}

async function bundle(version: string): Promise<Bundled> {
  const shared = {
    absWorkingDir: root,
    outdir: dist,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // ASCII: V8 keeps any other source text at two bytes a character, and decoding it takes longer.
    charset: 'ascii',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    // For a cluster, and installed only for that.
    external: ['pg', 'pg-boss'],
    write: false,
  } as const satisfies BuildOptions;
  const define = {
    TSCHED_VERSION: JSON.stringify(version),
    TSCHED_ZONES: JSON.stringify({
      names: `\n${Intl.supportedValuesOf('timeZone').join('\n')}\n`,
      version: process.versions.tz,
    }),
  };
  const commonJs = {
    ...shared,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    plugins: [apart],
  } as const satisfies BuildOptions;
  const results = await Promise.all([
    build({
      ...commonJs,
      entryPoints: { cli: 'src/cli/main.ts' },
      define: { ...define, 'import.meta.url': '__url' },
      banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
    }),
    build({
      ...commonJs,
      entryPoints: {
        list: 'src/cli/list-main.ts',
        status: 'src/cli/status-main.ts',
        syntax: 'src/config/syntax.ts',
        'live-list': 'src/cli/live-list.ts',
      },
      define: { ...define, 'import.meta.url': '__filename' },
      // What these import dynamically is CommonJS too, and `require` spares them the loader of ES modules.
      supported: { 'dynamic-import': false },
    }),
    build({
      ...shared,
      entryPoints: modules,
      format: 'esm',
      splitting: true,
      // Installed for clusters alone.
      external: ['pg', 'pg-boss'],
      plugins: [builtins],
      define,
    }),
  ]);
  return {
    files: results.flatMap(({ outputFiles }) => outputFiles),
    licenses: licensesOf(
      results.flatMap(({ metafile }) => Object.keys(metafile.inputs)),
      root,
    ),
  };
}

/** Of which bin/tsched.js keeps V8's code. */
const WARM: ReadonlySet<string> = new Set(['list.cjs', 'status.cjs']);

/** Ends a file with a hash of what it holds, by which bin/tsched.js tells whether the code it has kept is of this very file. */
function withHash(contents: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  return Buffer.concat([contents, Buffer.from(`//${hash}`)]);
}

/** Declarations are a convenience for those who import the package; a compiler that fails must not fail an installation. */
async function declare(): Promise<void> {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', join(root, 'tsconfig.types.json')]);
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: string };
    console.warn(`build: no type declarations: ${(stdout ?? message).trim()}`);
  }
}

async function jobFileSchema(): Promise<string> {
  const { jobFileJsonSchema } = await import('../src/config/schema.ts');
  return `${JSON.stringify(jobFileJsonSchema(), undefined, 2)}\n`;
}

async function manual(version: string): Promise<string> {
  const [{ build }, { manPage }, { Session }] = await Promise.all([
    import('../src/cli/program.ts'),
    import('../src/cli/man.ts'),
    import('../src/cli/session.ts'),
  ]);
  const session = new Session({}, 0);
  session.color = false;
  return manPage(
    build(session, () => undefined),
    version,
  );
}

/** Appears whole or not at all, so that a command which starts during a build finds the old file or the new one. */
function place(path: string, contents: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

function keepOnly(directory: string, names: ReadonlySet<string>): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isFile() && !names.has(entry.name)) rmSync(join(directory, entry.name), { force: true });
  }
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const [{ files, licenses }, schema, man, page] = await Promise.all([
  bundle(version),
  jobFileSchema(),
  manual(version),
  buildPage(root),
  declare(),
]);
for (const { path, contents } of files) place(path, WARM.has(basename(path)) ? withHash(contents) : contents);
place(join(dist, 'schema.json'), Buffer.from(schema));
place(join(dist, 'tsched.1'), Buffer.from(man));
place(join(dist, 'licenses.txt'), Buffer.from(licenses));

const fresh = new Set([
  ...files.map((file) => relative(dist, file.path)),
  'schema.json',
  'tsched.1',
  'licenses.txt',
]);
for (const { name, contents } of page) place(join(dist, 'web', name), contents);
keepOnly(dist, fresh);
keepOnly(join(dist, 'web'), new Set(page.map(({ name }) => name)));
