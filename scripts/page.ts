/** Builds the page (web/) into files with a hash in their names, each also compressed: what the daemon serves at `/`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, type Metafile, type Plugin } from 'esbuild';
import { licensesOf } from './licenses.ts';

export interface BuiltFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** Of all that a browser loads before it shows anything, gzipped. Bytes. */
const MOST = 60_000;

/** @throws when the page would be too large */
export async function buildPage(root: string): Promise<readonly BuiltFile[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: join(root, 'web'),
    outdir: join(root, 'dist/web'),
    entryPoints: ['main.tsx', 'style.css'],
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    splitting: true,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome120', 'firefox121', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    footer: { js: '//licenses.txt' },
    metafile: true,
    logLevel: 'warning',
    write: false,
    plugins: [plotAlone],
  });
  const files = outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }));
  const icon = hashed('icon.svg', readFileSync(join(root, 'web/icon.svg')));
  const named = (start: string, end: string): string =>
    files.find(({ name }) => name.startsWith(start) && name.endsWith(end))?.name ?? '';
  const later = loadedLater(metafile);
  const preloads = files
    .filter(({ name }) => name.startsWith('chunk-') && !later.has(name))
    .map(({ name }) => `<link rel="modulepreload" href="/assets/${name}" />\n    `);
  const shell = readFileSync(join(root, 'web/index.html'), 'utf8')
    .replace('<script', `${preloads.join('')}<script`)
    .replace('main.js', named('main-', '.js'))
    .replace('style.css', named('style-', '.css'))
    .replace('icon.svg', icon.name);
  const all = [...files, icon, { name: 'index.html', contents: Buffer.from(shell) }];
  const first = all.filter(({ name }) => !later.has(name));
  const size = first.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
  if (size > MOST) throw new Error(`the page has ${size} bytes gzipped, of which ${MOST} are allowed`);
  const licenses = {
    name: 'licenses.txt',
    contents: Buffer.from(licensesOf(Object.keys(metafile.inputs), root)),
  };
  return [...all, licenses].flatMap((file) => [
    file,
    { name: `${file.name}.br`, contents: brotliCompressSync(file.contents) },
    { name: `${file.name}.gz`, contents: gzipSync(file.contents, { level: 9 }) },
  ]);
}

/** Files that nothing asks for before a view is opened. */
function loadedLater({ outputs }: Metafile): ReadonlySet<string> {
  const first = new Set<string>();
  const reach = (path: string): void => {
    if (first.has(path)) return;
    first.add(path);
    for (const { path: next, kind } of outputs[path]?.imports ?? [])
      if (kind !== 'dynamic-import') reach(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs))
    if (entryPoint === 'main.tsx' || entryPoint === 'style.css') reach(path);
  return new Set(
    Object.keys(outputs)
      .filter((path) => !first.has(path))
      .map((path) => basename(path)),
  );
}

/** What the page has no use for in uPlot, and what stands there instead: legends, selections, and dates in its own words. */
const CUTS: readonly (readonly [string, string])[] = [
  ['function initLegendRow(s, i) {', 'function initLegendRow(s, i) { return nullNullTuple;'],
  ...[
    'setLegend(opts, _fire)',
    'setLegendValues(sidx, idx)',
    'setSelect(opts, _fire)',
    'setSeries(i, opts, _fire, _pub)',
    'addSeries(opts, si)',
    'delSeries(i)',
    'mouseDown(e, src, _l, _t, _w, _h, _i)',
    'mouseUp(e, src, _l, _t, _w, _h, _i)',
    'dblClick(e, src, _l, _t, _w, _h, _i)',
  ].map((named) => [`function ${named} {`, `function ${named} { return;`] as const),
  ['timeAxisVals(_tzDate, timeAxisStamps(av, _fmtDate))', 'av'],
  ['timeAxisVal(_tzDate, av)', 'av'],
  ['av || _timeAxisVals', 'av'],
  ['(isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal)', 'sv'],
  ['const _fmtDate = (opts.fmtDate || fmtDate);', ''],
  ['timeAxisVals(_tzDate, timeAxisStamps((ms == 1 ? _timeAxisStampsMs : _timeAxisStampsS), _fmtDate))', '0'],
  ['timeSeriesVal(_tzDate, timeSeriesStamp(_timeSeriesStamp, _fmtDate))', '0'],
];

/** Also cut off is what uPlot hangs onto itself for others (joining tables, bars, splines …): with the rest, a tenth of the page. */
const plotAlone: Plugin = {
  name: 'plot-alone',
  setup(building) {
    building.onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      const [whole = '', more = ''] = readFileSync(path, 'utf8').split('\nuPlot.assign = assign;\n');
      if (more === '' || CUTS.some(([there]) => !whole.includes(there)))
        throw new Error(`${path} is not as it was: look at it anew`);
      const plot = CUTS.reduce((text, [there, instead]) => text.replace(there, instead), whole);
      return { contents: `${plot}\nexport { uPlot as default };\n`, loader: 'js' };
    });
  },
};

function hashed(name: string, contents: Buffer): BuiltFile {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 8);
  const end = extname(name);
  return { name: `${basename(name, end)}-${hash}${end}`, contents };
}
