/**
 * Builds dist/ in about a second: the command and the package as ES modules that share chunks, the processes tsched starts,
 * the type declarations of the package API and the JSON Schema of the job file.
 *
 * Bundled because date-fns-tz and its like cost over a second when imported as they lie in node_modules; split because a
 * command should load nothing another command needs.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, type OutputFile } from 'esbuild';

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');

/** What is started or imported by name, and the source it comes from. Chunks lie beside them, so `import.meta.url` of any part is in dist/. */
const entries = {
  cli: 'src/cli/main.ts',
  index: 'src/index.ts',
  'config-child': 'src/config/child.ts',
  'module-host': 'src/tasks/module-host.ts',
  'thread-host': 'src/tasks/thread-host.ts',
};

// While the parts are being founded some are not there yet.
const entryPoints = Object.fromEntries(
  Object.entries(entries).filter(([name, source]) => {
    if (!existsSync(join(root, source))) console.warn(`build: no ${source} yet, ${name} is left out`);
    return existsSync(join(root, source));
  }),
);

/** CommonJS packages inside the bundle (winston, cron-parser) call `require`, which an ES module does not have. */
const requireForCommonJs =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

async function bundle(version: string): Promise<readonly OutputFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    banner: { js: requireForCommonJs },
    plugins: [
      {
        name: 'not-yet', // while the parts are being founded
        setup(building) {
          building.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) =>
            existsSync(join(resolveDir, path)) ? undefined : { path, external: true },
          );
        },
      },
    ],
    define: { TSCHED_VERSION: JSON.stringify(version) },
    logLevel: 'warning',
    write: false,
  });
  return outputFiles;
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
  if (!existsSync(join(root, 'src/config/schema.ts'))) return '{}\n';
  const { jobFileJsonSchema } = await import('../src/config/schema.ts');
  return `${JSON.stringify(jobFileJsonSchema(), undefined, 2)}\n`;
}

/** Appears whole or not at all, so that a command which starts during a build finds the old file or the new one. */
function place(path: string, contents: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const [files, schema] = await Promise.all([bundle(version), jobFileSchema(), declare()]);
for (const file of files) place(file.path, file.contents);
place(join(dist, 'schema.json'), Buffer.from(schema));

const fresh = new Set([...files.map((file) => relative(dist, file.path)), 'schema.json']);
for (const entry of readdirSync(dist, { withFileTypes: true })) {
  if (entry.isFile() && !fresh.has(entry.name)) rmSync(join(dist, entry.name), { force: true });
}
