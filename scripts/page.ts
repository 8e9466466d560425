/** Builds the page (web/) into files with a hash in their names, each also compressed: what the daemon serves at `/`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';

export interface BuiltFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** Of all that a browser loads, gzipped. Bytes. */
const MOST = 60_000;

/** @throws when the page would be too large */
export async function buildPage(root: string): Promise<readonly BuiltFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: join(root, 'web'),
    outdir: join(root, 'dist/web'),
    entryPoints: ['main.tsx', 'style.css'],
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome120', 'firefox121', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'linked',
    logLevel: 'warning',
    write: false,
    plugins: [plotAlone],
  });
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  const icon = hashed('icon.svg', readFileSync(join(root, 'web/icon.svg')));
  const named = (start: string, end: string): string =>
    files.find(({ name }) => name.startsWith(start) && name.endsWith(end))?.name ?? '';
  const shell = readFileSync(join(root, 'web/index.html'), 'utf8')
    .replace('main.js', named('main-', '.js'))
    .replace('style.css', named('style-', '.css'))
    .replace('icon.svg', icon.name);
  const all = [...files, icon, { name: 'index.html', contents: Buffer.from(shell) }];
  const size = all
    .filter(({ name }) => !name.endsWith('.txt'))
    .reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
  if (size > MOST) throw new Error(`the page has ${size} bytes gzipped, of which ${MOST} are allowed`);
  return all.flatMap((file) => [
    file,
    { name: `${file.name}.br`, contents: brotliCompressSync(file.contents) },
    { name: `${file.name}.gz`, contents: gzipSync(file.contents, { level: 9 }) },
  ]);
}

/** What uPlot hangs onto itself for others (joining tables, bars, splines …) is cut off, and so no longer kept: a twentieth of the page. */
const plotAlone: Plugin = {
  name: 'plot-alone',
  setup(building) {
    building.onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      const [plot, more] = readFileSync(path, 'utf8').split('\nuPlot.assign = assign;\n');
      if (plot === undefined || more === undefined)
        throw new Error(`${path} is not as it was: look at it anew`);
      return { contents: `${plot}\nexport { uPlot as default };\n`, loader: 'js' };
    });
  },
};

function hashed(name: string, contents: Buffer): BuiltFile {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 8);
  const end = extname(name);
  return { name: `${basename(name, end)}-${hash}${end}`, contents };
}
