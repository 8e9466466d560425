/**
 * The part of YAML that nearly every job file keeps to, read directly: block mappings with simple keys, plain and quoted
 * scalars on one line, `|` blocks, lists of scalars, one-line `[…]` and `{…}`. Anything else, and every mistake, is left
 * to the `yaml` package: the answer is then undefined. Whatever is answered is what `yaml` would say, which a property
 * test holds it to.
 *
 * Why: `yaml` takes 13 ms for a file of 20 jobs in a process just started, half of what `tsched list` may take in all,
 * and 8 s and 800 MB for 100,000 jobs; this takes 1 ms, and 0.3 s.
 */
import type { Entry, ListTree, MapTree, ScalarTree, Tree } from './tree.ts';

const MAX_DEPTH = 16;

/** Tabs, carriage returns, control characters, exotic line breaks, byte order marks. */
const STRANGE = /[^\n\x20-\x7e\xa0-\u2027\u202a-\ufdcf\ufdf0-\ufefe\uff00-\uffff]/;
/** Markers of documents and directives. */
const MARKER = /^(?:%|---|\.\.\.)/m;

const KEY = /([A-Za-z0-9_][\w./-]*):(?: +|(?=\n|$))/y;
const FLOW_KEY = /([A-Za-z0-9_][\w./-]*): +/y;
const BLOCK_HEADER = /\|(-?)(?: +#.*| *)$/my;
/** A plain scalar: no indicator at its start, no ": ", no " #". */
const PLAIN =
  /(?:[^\s\-?:,[\]{}#&*!|>'"%@`]|[-?:](?=[^\s,[\]{}]))(?:[^\s:#]|:(?=\S)|(?<=\S)#| +(?=[^\s#:]))*/y;
const FLOW_PLAIN = /(?:[A-Za-z0-9_./$]|-(?=[\w./]))(?:[^\s:#,[\]{}]|:(?=[^\s,[\]{}])| +(?=[^\s#:,[\]{}]))*/y;
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'(?!')/y;
const REST = /^(?: +#.*| *)$/;

const [SPACE, DASH, HASH, BAR, BRACKET, BRACE] = [32, 45, 35, 124, 91, 123];

/** Core schema: what is not text. Integers without leading zero are read here, the rest is left to `yaml`. */
const INTEGER = /^-?(?:0|[1-9]\d{0,14})$/;
const OTHER_NUMBER =
  /^(?:[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/;
const WORDS = new Map<string, boolean | null>([
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
]);

/** Thrown and caught here: "let `yaml` say what this is". */
const BEYOND = new Error('beyond plain YAML');

/** The tree of a text, or undefined when it is not plain. */
export function parsePlainYaml(text: string): Tree | undefined {
  if (STRANGE.test(text) || MARKER.test(text)) return undefined;
  const lines = new Lines(text);
  if (lines.indent !== 0) return undefined;
  try {
    const tree = readMap(lines, 1);
    return lines.atEnd ? tree : undefined;
  } catch (error) {
    if (error === BEYOND) return undefined;
    throw error;
  }
}

/** A cursor over the lines that hold something. */
class Lines {
  readonly text: string;
  /** Offset of the first character that is not a blank. */
  start = 0;
  /** Offset of the line's end. */
  end = -1;
  /** Blanks before `start`; -1 at the end of the text. */
  indent = -1;

  constructor(text: string) {
    this.text = text;
    this.next();
  }

  get atEnd(): boolean {
    return this.indent === -1;
  }

  /** On to the next line that is neither empty nor a comment. */
  next(): void {
    const { text } = this;
    while (this.end < text.length) {
      const from = this.end + 1;
      if (from >= text.length) break;
      const end = text.indexOf('\n', from);
      this.end = end === -1 ? text.length : end;
      this.start = from;
      while (text.charCodeAt(this.start) === 32) this.start += 1;
      if (this.start >= this.end || text.charCodeAt(this.start) === 35) continue;
      this.indent = this.start - from;
      return;
    }
    this.indent = -1;
  }

  /** Matches a sticky pattern at an offset, within the line. */
  match(pattern: RegExp, at: number): RegExpExecArray | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.text) ?? undefined;
  }
}

function readMap(lines: Lines, depth: number): MapTree {
  const { indent, start } = lines;
  if (depth > MAX_DEPTH) throw BEYOND;
  const entries: Entry[] = [];
  while (lines.indent === indent) entries.push(readEntry(lines, depth));
  if (lines.indent > indent) throw BEYOND;
  return collection({ kind: 'map', start, entries });
}

function readEntry(lines: Lines, depth: number): Entry {
  const { start } = lines;
  const match = lines.match(KEY, start);
  const key = match?.[1];
  if (match === undefined || key === undefined) throw BEYOND;
  return { key, start, end: start + key.length, value: readValue(lines, start + match[0].length, depth) };
}

/** The value of a key; `at` is where it would start on the key's line. */
function readValue(lines: Lines, at: number, depth: number): Tree {
  const { text, indent, end } = lines;
  if (at < end && text.charCodeAt(at) === BAR) return readBlock(lines, at);
  if (at < end && text.charCodeAt(at) !== HASH) {
    const value = readInline(lines, at, depth);
    lines.next();
    // A deeper line would go on with this value, or be a mistake.
    if (lines.indent > indent) throw BEYOND;
    return value;
  }
  const colon = text.lastIndexOf(':', at);
  lines.next();
  const isList = lines.indent >= indent && text.charCodeAt(lines.start) === DASH;
  if (isList) return readList(lines);
  if (lines.indent > indent) return readMap(lines, depth + 1);
  return { kind: 'scalar', start: colon, end: colon, value: null, source: '', style: 'plain' };
}

function readList(lines: Lines): ListTree {
  const { indent, start, text } = lines;
  const items: Tree[] = [];
  while (lines.indent === indent && text.startsWith('- ', lines.start)) {
    let at = lines.start + 2;
    while (text.charCodeAt(at) === SPACE) at += 1;
    items.push(readInline(lines, at, 0));
    lines.next();
  }
  if (lines.indent > indent || (lines.indent === indent && text.charCodeAt(lines.start) === DASH))
    throw BEYOND;
  return collection({ kind: 'list', start, items });
}

/** A value that ends on its line. */
function readInline(lines: Lines, at: number, depth: number): Tree {
  const first = lines.text.charCodeAt(at);
  const flow = first === BRACKET || first === BRACE;
  const [tree, after] = flow ? readFlow(lines, at, depth + 1) : readScalar(lines, at, PLAIN);
  if (!REST.test(lines.text.slice(after, lines.end))) throw BEYOND;
  return tree;
}

/** A scalar and the offset after it. */
function readScalar(lines: Lines, at: number, pattern: RegExp): [ScalarTree, number] {
  const quoted = lines.match(QUOTED, at);
  if (quoted !== undefined) {
    const end = at + quoted[0].length;
    const value = quoted[1] ?? quoted[2] ?? '';
    return [{ kind: 'scalar', start: at, end, value, source: value, style: 'quoted' }, end];
  }
  const source = lines.match(pattern, at)?.[0];
  if (source === undefined) throw BEYOND;
  const end = at + source.length;
  return [{ kind: 'scalar', start: at, end, value: valueOf(source), source, style: 'plain' }, end];
}

function valueOf(source: string): ScalarTree['value'] {
  const word = WORDS.get(source);
  if (word !== undefined) return word;
  if (INTEGER.test(source)) return Number(source);
  if (OTHER_NUMBER.test(source)) throw BEYOND;
  return source;
}

/** `[…]` or `{…}` on one line, and the offset after it. */
function readFlow(lines: Lines, open: number, depth: number): [MapTree | ListTree, number] {
  if (depth > MAX_DEPTH) throw BEYOND;
  const { text } = lines;
  const isMap = text.charCodeAt(open) === BRACE;
  const close = isMap ? '}' : ']';
  const entries: Entry[] = [];
  const items: Tree[] = [];
  let at = skipBlanks(text, open + 1);
  while (text[at] !== close) {
    let value: Tree;
    if (isMap) {
      const match = lines.match(FLOW_KEY, at);
      const key = match?.[1];
      if (match === undefined || key === undefined) throw BEYOND;
      const start = at;
      [value, at] = readFlowValue(lines, at + match[0].length, depth);
      entries.push({ key, start, end: start + key.length, value });
    } else {
      [value, at] = readFlowValue(lines, at, depth);
      items.push(value);
    }
    at = skipBlanks(text, at);
    if (text[at] === ',') at = skipBlanks(text, at + 1);
    else if (text[at] !== close) throw BEYOND;
  }
  return [
    isMap
      ? collection({ kind: 'map', start: open, entries })
      : collection({ kind: 'list', start: open, items }),
    at + 1,
  ];
}

function readFlowValue(lines: Lines, at: number, depth: number): [Tree, number] {
  const first = lines.text.charCodeAt(at);
  return first === BRACKET || first === BRACE
    ? readFlow(lines, at, depth + 1)
    : readScalar(lines, at, FLOW_PLAIN);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === SPACE) at += 1;
  return at;
}

/** `|` and `|-`: the lines below that are indented deeper than the key. */
function readBlock(lines: Lines, at: number): ScalarTree {
  const { text } = lines;
  const header = lines.match(BLOCK_HEADER, at);
  if (header === undefined) throw BEYOND;
  const kept: string[] = [];
  let from = lines.end + 1;
  let width = -1;
  while (from < text.length) {
    const stop = text.indexOf('\n', from);
    const end = stop === -1 ? text.length : stop;
    const first = skipBlanks(text, from);
    const blank = first >= end;
    if (!blank && width === -1) width = first - from;
    if (!blank && (first - from < width || width <= lines.indent)) break;
    // Blanks before the first line, or more of them than the indentation, are content in ways best left to `yaml`.
    if (blank && (width === -1 || end - from > width)) throw BEYOND;
    kept.push(blank ? '' : text.slice(from + width, end));
    lines.end = end;
    from = end + 1;
  }
  while (kept.at(-1) === '') kept.pop();
  if (kept.length === 0) throw BEYOND;
  const outer = lines.indent;
  lines.next();
  if (lines.indent > outer) throw BEYOND;
  const value = `${kept.join('\n')}${header[1] === '-' ? '' : '\n'}`;
  return { kind: 'scalar', start: at, end: at + 1, value, source: value, style: 'block' };
}

type Bare = Pick<MapTree, 'kind' | 'start' | 'entries'> | Pick<ListTree, 'kind' | 'start' | 'items'>;

function collection<T extends Bare>(tree: T): T & { end: number; weight: number; depth: number } {
  let weight = 1;
  let depth = 0;
  const children = tree.kind === 'map' ? tree.entries.map((entry) => entry.value) : tree.items;
  for (const child of children) {
    weight += child.kind === 'scalar' ? 1 : child.weight;
    depth = Math.max(depth, child.kind === 'scalar' ? 0 : child.depth);
  }
  return { ...tree, end: tree.start + 1, weight, depth: depth + 1 };
}
