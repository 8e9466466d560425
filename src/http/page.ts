/** The page people look at: files of dist/web, read once. They hold no data, so whoever reaches us may have them. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { HttpProblem } from './problem.ts';
import { route, type Asked, type Headers, type Reply, type Route } from './route.ts';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/** Scripts and styles are files of ours; nothing that is shown can bring its own, nor send anything elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What a browser may ask for instead of the plain file, best first, by how its name ends. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

interface PageFile {
  readonly type: string;
  readonly tag: string;
  /** By encoding; the plain one by ''. */
  readonly bytes: ReadonlyMap<string, Buffer>;
}

export const pageRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/',
    scope: 'open',
    local: true,
    summary: 'The page',
    answers: { 200: { about: 'It', type: 'text/html' } },
    handle: (asked) => reply('index.html', asked, 'no-cache'),
  }),
  route({
    method: 'GET',
    path: '/assets/{name}',
    scope: 'open',
    local: true,
    summary: 'What the page is made of',
    answers: { 200: { about: 'A file', type: 'text/javascript' } },
    handle(asked) {
      const { name = '' } = asked.path;
      // Such a name holds a hash of what the file holds.
      const isLasting = /-\w{8}\./.test(name);
      return reply(name, asked, isLasting ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  }),
];

let files: ReadonlyMap<string, PageFile> | undefined;

function reply(name: string, { header }: Asked<unknown, unknown>, cacheControl: string): Reply {
  files ??= readFiles(new URL('web/', import.meta.url));
  const file = files.get(name);
  if (file === undefined) {
    const hint = name === 'index.html' ? 'it was not built: node scripts/build.ts' : 'the page is at /';
    throw new HttpProblem('unknown_path', 'there is no such file', { hint });
  }
  const accepted = (header('accept-encoding') ?? '').toLowerCase().split(/\s*,\s*/);
  const encoding = ENCODINGS.find(([name]) => accepted.includes(name) && file.bytes.has(name))?.[0] ?? '';
  const headers: Headers = {
    'content-type': file.type,
    'content-security-policy': POLICY,
    'cache-control': cacheControl,
    vary: 'accept-encoding',
    etag: `"${file.tag}"`,
    ...(encoding === '' ? {} : { 'content-encoding': encoding }),
  };
  const bytes = file.bytes.get(encoding) ?? Buffer.alloc(0);
  const isKnown = header('if-none-match')?.includes(file.tag) === true;
  return isKnown
    ? { kind: 'file', status: 304, headers, bytes: Buffer.alloc(0) }
    : { kind: 'file', status: 200, headers, bytes };
}

/** All at once, so that a build meanwhile cannot mix two versions. Empty where nothing was built. */
function readFiles(directory: URL): ReadonlyMap<string, PageFile> {
  const names = new Set(namesIn(directory));
  const plain = [...names].filter((name) => !/\.(?:br|gz)$/.test(name));
  return new Map(
    plain.map((name) => {
      const content = readFileSync(new URL(name, directory));
      const packed = ENCODINGS.filter(([, suffix]) => names.has(name + suffix)).map(
        ([encoding, suffix]) => [encoding, readFileSync(new URL(name + suffix, directory))] as const,
      );
      const type = TYPES[/\.(\w+)$/.exec(name)?.[1] ?? ''] ?? 'application/octet-stream';
      const tag = createHash('sha256').update(content).digest('hex').slice(0, 16);
      return [name, { type, tag, bytes: new Map<string, Buffer>([['', content], ...packed]) }];
    }),
  );
}

function namesIn(directory: URL): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // told to whoever asks for the page
  }
}
