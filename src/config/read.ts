/**
 * A tree against the field table: values as definitions hold them, or diagnostics with path and position. Reads on
 * after a mistake, so that one pass finds them all.
 */
import type { Json } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';
import type { Diagnostic, Related } from './diagnostic.ts';
import { interpolate, valuesOf, type Environment } from './interpolate.ts';
import type {
  Fields,
  JsonShape,
  ListShape,
  MapShape,
  RecordShape,
  ScalarInput,
  ScalarType,
  SecretJson,
  Shape,
} from './shape.ts';
import type { Source } from './source.ts';
import { REPORTED, type Entry, type ScalarTree, type Span, type SyntaxProblem, type Tree } from './tree.ts';
import { unknownKey } from './words.ts';

/** Values by key. A key that was written but refused is there with `undefined`, so that nobody calls it missing. */
export type Values = Record<string, unknown>;

export interface ReaderOptions {
  readonly source: Source;
  readonly environment: Environment;
  /** Values that syntax.ts found to lack quotes; each is reported when its path is known. */
  readonly unquoted: readonly SyntaxProblem[];
  readonly report: (diagnostic: Diagnostic, offset: number) => void;
}

export class Reader {
  readonly source: Source;
  readonly #environment: Environment;
  readonly #report: ReaderOptions['report'];
  readonly #unquoted: Map<number, SyntaxProblem>;
  /** The job being read; empty in `defaults` and at the top. */
  #jobId = '';

  constructor(options: ReaderOptions) {
    this.source = options.source;
    this.#environment = options.environment;
    this.#report = options.report;
    this.#unquoted = new Map(options.unquoted.map((problem) => [problem.at, problem]));
  }

  /** Reads the keys of one job, which is named in schedules that use H. */
  readJob(tree: Tree, fields: Fields, at: { path: string; id: string }): Values | undefined {
    this.#jobId = at.id;
    const values = this.readMap(tree, { kind: 'map', fields }, at.path);
    this.#jobId = '';
    return values;
  }

  /** Reports what lacked quotes in places that nobody read. */
  finish(): void {
    for (const at of this.#unquoted.keys()) this.#sayUnquoted(at, '');
  }

  /** The entries of a mapping, each key once; anything else is reported. */
  entries(tree: Tree, path: string): Entry[] | undefined {
    const seen = new Set<string>();
    return this.allEntries(tree, path)?.filter(({ key }) => !seen.has(key) && seen.add(key));
  }

  /** As `entries`, with duplicates still there: they are reported, but their values can be read too. */
  allEntries(tree: Tree, path: string): Entry[] | undefined {
    if (tree.kind !== 'map') {
      if (this.#isReported(tree, path)) return undefined;
      return this.problem(headOf(tree), path, {
        message: `expected a mapping (key: value), got ${kindOf(tree)}`,
      });
    }
    const seen = new Map<string, Entry>();
    const entries: Entry[] = [];
    for (const entry of tree.entries) {
      const first = seen.get(entry.key);
      if (entry.key === '__proto__') {
        this.problem(entry, path, { message: '"__proto__" cannot be a key' });
        continue;
      }
      if (first === undefined) seen.set(entry.key, entry);
      else this.#duplicate(entry, first, path);
      entries.push(entry);
    }
    return entries;
  }

  read(tree: Tree, shape: Shape, path: string): unknown {
    if (shape.kind === 'scalar' && shape.secret === true) this.#hide(tree);
    if (this.#isReported(tree, path)) return undefined;
    switch (shape.kind) {
      case 'scalar':
        return this.#readScalar(tree, shape, path);
      case 'list':
        return this.#readList(tree, shape, path);
      case 'map':
        return this.readMap(tree, shape, path);
      case 'record':
        return this.#readRecord(tree, shape, path);
      case 'either':
        return this.read(tree, tree.kind === 'map' ? shape.map : shape.scalar, path);
      case 'json':
        return shape.tellsSecrets === true
          ? this.#readSecretJson(tree, shape, path)
          : this.#readJson(tree, shape, path);
    }
  }

  readMap(tree: Tree, shape: MapShape, path: string): Values | undefined {
    const { short, fields } = shape;
    const field = short === undefined ? undefined : fields[short];
    const isShort = tree.kind === 'scalar' || (tree.kind === 'list' && field?.shape.kind === 'list');
    if (short !== undefined && isShort) {
      const value = field === undefined ? undefined : this.read(tree, field.shape, path);
      return value === undefined ? undefined : { [short]: value };
    }
    if (holdsSecrets(shape)) this.#hideAllBut(tree, fields);
    const entries = this.entries(tree, path);
    if (entries === undefined) return undefined;
    const values: Values = {};
    for (const entry of entries) {
      const at = join(path, entry.key);
      const field = Object.hasOwn(fields, entry.key) ? fields[entry.key] : undefined;
      if (field === undefined) {
        const { meant, ...problem } = unknownKey(entry.key, Object.keys(fields), isJobOrFile(fields));
        this.problem(entry, at, problem);
        if (meant !== undefined) {
          values[meant] ??= undefined;
          const known = fields[meant];
          if (known !== undefined && holdsSecrets(known.shape)) this.#hide(entry.value);
        }
        continue;
      }
      values[entry.key] = this.read(entry.value, field.shape, at);
    }
    return values;
  }

  problem(span: Span, path: string, problem: Problem & { readonly related?: Related }): undefined {
    this.#say('error', span, { path, problem });
    return undefined;
  }

  warning(span: Span, path: string, problem: Problem): void {
    this.#say('warning', span, { path, problem });
  }

  #say(
    severity: Diagnostic['severity'],
    span: Span,
    { path, problem }: { path: string; problem: Problem & { readonly related?: Related } },
  ): void {
    const { message, hint, related } = problem;
    const place = this.source.place(span.start);
    // A caret never runs past its line.
    const room = this.source.lineText(place.line).length - place.column + 1;
    const length = Math.max(1, Math.min(span.end - span.start, room));
    const diagnostic = {
      severity,
      ...place,
      length,
      path,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(related === undefined ? {} : { related }),
    };
    this.#report(diagnostic, span.start);
  }

  #duplicate(entry: Entry, first: Entry, path: string): void {
    const what = path === 'jobs' ? 'job id' : 'key';
    const related = { ...this.source.place(first.start), message: 'first written here' };
    const message = `duplicate ${what} "${entry.key}"`;
    const length = entry.end - entry.start;
    this.#report(
      {
        severity: 'error',
        ...this.source.place(entry.start),
        length,
        path: join(path, entry.key),
        message,
        related,
      },
      entry.start,
    );
  }

  #isReported(tree: Tree, path: string): boolean {
    const reported =
      tree.kind === 'scalar' && typeof tree.value === 'string' && tree.value.startsWith(REPORTED);
    if (reported) this.#sayUnquoted(tree.start, path);
    return reported;
  }

  #sayUnquoted(at: number, path: string): void {
    const problem = this.#unquoted.get(at);
    if (problem === undefined) return;
    this.#unquoted.delete(at);
    const { message, hint } = problem;
    this.problem({ start: at, end: at + problem.length }, path, {
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #readScalar(tree: Tree, type: ScalarType, path: string): unknown {
    if (tree.kind !== 'scalar') {
      const hint =
        tree.kind === 'map' && tree.start !== tree.end
          ? { hint: 'quote text that contains ": " or braces' }
          : {};
      return this.problem(headOf(tree), path, {
        message: `expected ${type.expects}, got ${kindOf(tree)}`,
        ...hint,
      });
    }
    if (tree.value === null) {
      const hint = 'remove the key, or give it a value';
      return this.problem(tree, path, { message: `expected ${type.expects}, got nothing`, hint });
    }
    const value = type.interpolated ? this.#interpolated(tree, tree.value, path) : tree.value;
    if (value === undefined) return undefined;
    const interpolated = value !== tree.value;
    const place = (problem: Problem): Span => (interpolated ? tree : this.#within(tree, problem));
    const input: ScalarInput = {
      value,
      source: tree.source,
      interpolated,
      written: tree.value,
      variables: interpolated ? valuesOf(String(tree.value), this.#environment) : [],
      after: tree.style === 'plain' ? this.source.restOfLine(tree.end) : '',
      directory: this.source.directory,
      jobId: this.#jobId,
      error: (problem) => this.problem(place(problem), path, problem),
      warn: (problem) => this.warning(place(problem), path, problem),
    };
    return type.read(input);
  }

  #interpolated<T extends string | number | boolean>(
    tree: ScalarTree,
    value: T,
    path: string,
  ): T | string | undefined {
    if (typeof value !== 'string' || !value.includes('${')) return value;
    let bad = false;
    const text = interpolate(value, this.#environment, (problem) => {
      bad = true;
      this.problem(this.#within(tree, problem), path, problem);
    });
    return bad ? undefined : text;
  }

  /** Where a part of a value stands in the file: exact where it is written on one line without escapes. */
  #within(tree: ScalarTree, { at, length }: Problem): Span {
    if (at === undefined || typeof tree.value !== 'string' || tree.style === 'block') return tree;
    const start = tree.start + (tree.style === 'quoted' ? 1 : 0);
    if (!this.source.text.startsWith(tree.value, start)) return tree;
    return { start: start + at, end: start + at + Math.max(1, length ?? 1) };
  }

  /** A secret that is a variable is none; its name helps. */
  #hide(tree: Tree): void {
    if (tree.kind === 'list') for (const item of tree.items) this.#hide(item);
    else if (tree.kind === 'map') {
      for (const entry of tree.entries) {
        this.source.hide(entry);
        this.#hide(entry.value);
      }
    } else if (!/^\$\{\w+\}$/.test(String(tree.value))) this.source.hide(tree);
  }

  /** In a place of secrets, what stands under a mistyped or repeated key may be one. */
  #hideAllBut(tree: Tree, fields: Fields): void {
    if (tree.kind !== 'map') return;
    for (const { key, value } of tree.entries) {
      const known = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (known === undefined || (known.shape.kind === 'scalar' && known.shape.secret === true))
        this.#hide(value);
    }
  }

  #readList(tree: Tree, shape: ListShape, path: string): unknown[] | undefined {
    if (tree.kind === 'scalar' && shape.orOne && tree.value !== null) {
      const value = this.read(tree, shape.of, path);
      return value === undefined ? undefined : [value];
    }
    if (tree.kind !== 'list') {
      const one = shape.of.kind === 'map' ? 'a mapping' : shape.of.expects;
      const expected = shape.orOne ? `${one} or a list` : 'a list';
      return this.problem(headOf(tree), path, {
        message: `expected ${expected}, got ${kindOf(tree)}`,
        ...(shape.hint === undefined ? {} : { hint: shape.hint }),
      });
    }
    if (tree.items.length === 0) return this.problem(tree, path, { message: 'the list is empty' });
    const values = tree.items.map((item, index) => this.read(item, shape.of, `${path}.${index}`));
    return values.includes(undefined) ? undefined : values;
  }

  #readRecord(tree: Tree, shape: RecordShape, path: string): Values {
    const values: Values = {};
    if (shape.hintIfEmpty !== undefined && tree.kind === 'map' && tree.entries.length === 0)
      this.problem(tree, path, { message: 'nothing is in it', hint: shape.hintIfEmpty });
    for (const entry of this.entries(tree, path) ?? []) {
      const at = join(path, entry.key);
      if (!shape.key.test(entry.key)) {
        this.problem(entry, at, { message: `"${entry.key}" is not a ${shape.keyIs}` });
        continue;
      }
      const value = this.read(entry.value, shape.of, at);
      if (value !== undefined) values[entry.key] = value;
    }
    return values;
  }

  #readSecretJson(tree: Tree, shape: JsonShape, path: string): SecretJson {
    const texts = (part: Tree): string[] => {
      if (part.kind === 'map') return part.entries.flatMap(({ value }) => texts(value));
      if (part.kind === 'list') return part.items.flatMap(texts);
      return typeof part.value === 'string' ? [part.value] : [];
    };
    const secrets = texts(tree).flatMap((text) => valuesOf(text, this.#environment));
    return { value: this.#readJson(tree, shape, path) ?? null, secrets };
  }

  #readJson(tree: Tree, shape: JsonShape, path: string): Json | undefined {
    if (this.#isReported(tree, path)) return undefined;
    if (tree.kind === 'scalar') {
      return tree.value === null ? null : this.#interpolated(tree, tree.value, path);
    }
    if (tree.kind === 'list') {
      return tree.items.map((item, index) => this.#readJson(item, shape, `${path}.${index}`) ?? null);
    }
    const entries = this.entries(tree, path) ?? [];
    return Object.fromEntries(
      entries.map((entry) => [entry.key, this.#readJson(entry.value, shape, join(path, entry.key)) ?? null]),
    );
  }
}

/** Foreign words and words of later versions are looked up for the keys of jobs and of the file only. */
function isJobOrFile(fields: Fields): boolean {
  return 'timezone' in fields;
}

/** Whether a value of the shape is a secret, or has one right under it. */
function holdsSecrets(shape: Shape): boolean {
  switch (shape.kind) {
    case 'scalar':
      return shape.secret === true;
    case 'map':
      return (
        !isJobOrFile(shape.fields) &&
        Object.values(shape.fields).some(
          (field) => field.shape.kind === 'scalar' && field.shape.secret === true,
        )
      );
    case 'record':
      return holdsSecrets(shape.of);
    case 'list':
    case 'either':
    case 'json':
      return false;
  }
}

/** The start of a collection: carets under all of it would only be noise. */
function headOf(tree: Tree): Span {
  return tree.kind === 'scalar' ? tree : { start: tree.start, end: tree.start + 1 };
}

function kindOf(tree: Tree): string {
  if (tree.kind === 'map') return 'a mapping';
  if (tree.kind === 'list') return 'a list';
  if (tree.value === null) return 'nothing';
  return typeof tree.value === 'string' ? 'text' : tree.source;
}

export function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
