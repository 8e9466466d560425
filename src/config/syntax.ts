/**
 * YAML text to a plain tree, with positions and every syntax error. The only importer of `yaml`, and
 * loaded only for what plain-yaml.ts does not read: evaluating `yaml` takes 5 ms.
 *
 * The tree is a graph without cycles: an alias points at the tree of its anchor, so that a "billion laughs" file costs
 * its own size here; `weight` and `depth` say what it would cost to walk, and are bounded (F81).
 *
 * `yaml` is used through its lexer, parser and composer rather than `parseDocument`, for three reasons that were
 * measured: its duplicate-key check is quadratic (194 s for 100,000 jobs against 2 s without), depth and the number of
 * aliases can be bounded while it parses, and unresolved aliases get a position.
 */
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, Parser, type Document, type Scalar } from 'yaml';
import type { Source } from './source.ts';
import { explainSyntax, quoteNeeded } from './syntax-words.ts';
import {
  REPORTED,
  type Parsed,
  type Entry,
  type ListTree,
  type MapTree,
  type ScalarTree,
  type Span,
  type SyntaxProblem,
  type Tree,
} from './tree.ts';

/** Levels of nesting; a job file needs about eight. */
const MAX_DEPTH = 64;
/** Nodes that aliases may expand a file to, unless the file itself is large. */
const MAX_EXPANDED = 1_000_000;
/** How often larger than itself a large file may become. */
const MAX_GROWTH = 20;

/** Parses one YAML 1.2 document. Never throws on any text. */
export function parseYaml(source: Source): Parsed {
  const stray = source.text.indexOf(REPORTED);
  if (stray !== -1) {
    return {
      tree: undefined,
      problems: [{ message: 'a character that is not text (U+FDD0)', at: stray, length: 1 }],
      unquoted: [],
    };
  }
  const first = parseText(source, source.text);
  const unquoted = quoteNeeded(source, first.problems);
  if (unquoted.length === 0) return first;
  // What lacks quotes derails the parser for the lines after it, so parse again with the offender made harmless.
  let text = source.text;
  for (const { at } of unquoted) text = text.slice(0, at) + REPORTED + text.slice(at + 1);
  return { ...parseText(source, text), unquoted };
}

function parseText(source: Source, text: string): Parsed {
  const refusal = refuse(text);
  if (refusal !== undefined) return { tree: undefined, problems: [refusal], unquoted: [] };
  const composed = compose(text);
  if ('message' in composed) return { tree: undefined, problems: [composed], unquoted: [] };
  const [document, another] = composed.documents;
  if (document === undefined) return { tree: undefined, problems: [], unquoted: [] };
  const builder = new TreeBuilder(text.length);
  const tree = document.contents === null ? undefined : builder.build(document.contents, 0);
  const problems = [
    ...explainSyntax(source, [...document.errors, ...document.warnings]),
    ...builder.problems,
  ];
  if (another !== undefined) {
    problems.push({
      message: 'a second YAML document starts here',
      hint: 'a job file is one document: remove the "---" line, or use a second file and include:',
      at: another.range[0],
      length: 3,
    });
  }
  return { tree, problems, unquoted: [] };
}

/** What is refused before YAML sees it. */
function refuse(text: string): SyntaxProblem | undefined {
  const nul = text.indexOf('\0');
  if (nul !== -1) return { message: 'a NUL character', hint: 'this is not a text file', at: nul, length: 1 };
  const directive = /^%YAML[ \t]+(?!1\.2\s)\S*/m.exec(text);
  // Only before the document starts is it a directive.
  if (directive !== null && /^(?:\s*(?:[#%].*)?(?:\n|$))*$/.test(text.slice(0, directive.index))) {
    const hint = 'remove the line: job files are YAML 1.2, where yes, 012 and 1:30 have no second meaning';
    return {
      message: `${directive[0]} is not supported`,
      hint,
      at: directive.index,
      length: directive[0].length,
    };
  }
  return undefined;
}

/** Runs lexer, parser and composer, watching depth on the way. */
function compose(text: string): { documents: Document.Parsed[] } | SyntaxProblem {
  const parser = new Parser();
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
  const documents: Document.Parsed[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (parser.stack.length > MAX_DEPTH) return tooDeep(parser.offset);
    if (documents.length > 2) break;
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(false, text.length));
  return { documents };
}

function tooDeep(at: number): SyntaxProblem {
  return {
    message: `nested more than ${MAX_DEPTH} levels deep`,
    hint: 'a job file needs about eight',
    at,
    length: 1,
  };
}

/** Turns the nodes of `yaml` into a Tree: aliases resolved, `<<` merged. */
class TreeBuilder {
  readonly problems: SyntaxProblem[] = [];
  readonly #anchors = new Map<string, Tree>();
  readonly #limit: number;

  constructor(size: number) {
    this.#limit = Math.max(MAX_EXPANDED, (size / 4) * MAX_GROWTH);
  }

  build(node: unknown, at: number): Tree {
    if (isAlias(node))
      return this.#alias(node.source, { start: node.range?.[0] ?? at, end: node.range?.[1] ?? at });
    const tree = this.#plain(node, at);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, tree);
    return tree;
  }

  #plain(node: unknown, at: number): Tree {
    if (isScalar(node)) return scalarTree(node, at);
    if (isMap(node)) {
      const start = node.range?.[0] ?? at;
      return this.#bounded({ kind: 'map', start, end: start + 1, entries: this.#entries(node.items, start) });
    }
    if (isSeq(node)) {
      const start = node.range?.[0] ?? at;
      return this.#bounded({
        kind: 'list',
        start,
        end: start + 1,
        items: node.items.map((item) => this.build(item, start)),
      });
    }
    return { kind: 'scalar', start: at, end: at, value: null, source: '', style: 'plain' };
  }

  #entries(pairs: readonly { key: unknown; value: unknown }[], at: number): Entry[] {
    const own: Entry[] = [];
    const merged: Entry[] = [];
    for (const pair of pairs) {
      const key = this.build(pair.key, at);
      const value = this.build(pair.value, key.end);
      if (key.kind !== 'scalar') {
        this.#problem(
          { start: key.start, end: key.start + 1 },
          'a key must be a word',
          'write it as text: key: value',
        );
      } else if (key.style === 'plain' && key.source === '<<') {
        merged.push(...this.#merge(value));
      } else {
        own.push({ key: key.source, start: key.start, end: key.end, value });
      }
    }
    if (merged.length === 0) return own;
    const taken = new Set(own.map((entry) => entry.key));
    for (const entry of merged) {
      if (taken.has(entry.key)) continue;
      taken.add(entry.key);
      own.push(entry);
    }
    return own;
  }

  #merge(value: Tree): readonly Entry[] {
    if (value.kind === 'map') return value.entries;
    if (value.kind === 'list')
      return value.items.flatMap((item) => (item.kind === 'map' ? item.entries : []));
    this.#problem(
      value,
      '<< needs an alias of a mapping',
      'defaults: gives every job the same keys without anchors',
    );
    return [];
  }

  #alias(name: string, span: Span): Tree {
    const target = this.#anchors.get(name);
    if (target !== undefined) return target;
    const hint = 'an anchor (&name) must stand before its alias; text that starts with * must be quoted';
    this.#problem(span, `no anchor is called "${name}"`, hint);
    return { kind: 'scalar', ...span, value: REPORTED, source: REPORTED, style: 'plain' };
  }

  /** Adds weight and depth, and gives up on what is beyond the limits. */
  #bounded(tree: Omit<MapTree, 'weight' | 'depth'> | Omit<ListTree, 'weight' | 'depth'>): Tree {
    let weight = 1;
    let depth = 0;
    for (const child of tree.kind === 'map' ? tree.entries : tree.items) {
      const value = 'key' in child ? child.value : child;
      weight += value.kind === 'scalar' ? 1 : value.weight;
      depth = Math.max(depth, value.kind === 'scalar' ? 0 : value.depth);
    }
    if (weight <= this.#limit && depth < MAX_DEPTH) return { ...tree, weight, depth: depth + 1 };
    const message =
      depth < MAX_DEPTH ? 'aliases make this file far larger than it is' : 'aliases nest too deeply';
    this.#problem(
      { start: tree.start, end: tree.start + 1 },
      message,
      'write the values out, or use defaults:',
    );
    return {
      kind: 'scalar',
      start: tree.start,
      end: tree.end,
      value: REPORTED,
      source: REPORTED,
      style: 'plain',
    };
  }

  #problem(span: Span, message: string, hint: string): void {
    this.problems.push({ message, hint, at: span.start, length: Math.max(1, span.end - span.start) });
  }
}

function scalarTree(node: Scalar, at: number): ScalarTree {
  const { value } = node;
  const source = node.source ?? '';
  const style =
    node.type === 'PLAIN' ? 'plain' : node.type?.startsWith('BLOCK') === true ? 'block' : 'quoted';
  // Nothing was written: it stands where it is missed. The text of a block stands for itself, its head for a caret.
  const start = style === 'plain' && source === '' ? at : (node.range?.[0] ?? at);
  const end =
    style === 'block' ? start + 1 : source === '' && style === 'plain' ? start : (node.range?.[1] ?? start);
  const known = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return { kind: 'scalar', start, end, value: known ? value : null, source, style };
}
