/** One job file by itself: its settings and its jobs as values, before defaults, includes and env files are applied. */
import type { Diagnostic, Related } from './diagnostic.ts';
import { FILE_FIELDS, JOB_FIELDS, JOB_ID } from './fields.ts';
import type { Environment } from './interpolate.ts';
import { join, Reader, type Values } from './read.ts';
import { map } from './shape.ts';
import type { Source } from './source.ts';
import type { Entry, Parsed, Span, Tree } from './tree.ts';

/** A job as it stands in its file. */
export interface OutlinedJob {
  readonly id: string;
  readonly values: Values;
  readonly entry: Entry;
}

/** What reading one file came to. Problems found later are reported through it, so that they sort with the others. */
export class Outline {
  readonly source: Source;
  readonly reader: Reader;
  /** `timezone`, `env`, `env_file`, `defaults`, `notifiers`, `calendars`, `include`. */
  readonly settings: Values = {};
  readonly jobs: OutlinedJob[] = [];
  readonly #found: { diagnostic: Diagnostic; offset: number }[] = [];
  readonly #syntax: readonly number[];
  /** Where the top-level keys and the jobs start, in order. */
  readonly #parts: number[] = [];
  readonly #tree: Tree | undefined;

  constructor(source: Source, parsed: Parsed, environment: Environment) {
    const { tree, problems, unquoted } = parsed;
    this.source = source;
    this.#tree = tree;
    this.reader = new Reader({
      source,
      environment,
      unquoted,
      report: (diagnostic, offset) => this.#found.push({ diagnostic, offset }),
    });
    for (const problem of problems) {
      this.reader.problem({ start: problem.at, end: problem.at + problem.length }, '', problem);
    }
    source.broken = problems.length > 0;
    this.#syntax = this.#found.map(({ offset }) => offset);
    this.#readTop(tree);
    this.reader.finish();
  }

  /** The span of a top-level key's value, or of the whole file. */
  spanOf(key: string): Span {
    return this.#entry(key)?.value ?? { start: 0, end: 1 };
  }

  /** The span of the name of a notifier, calendar or pool, or of a key in `defaults`. */
  spanIn(key: 'notifiers' | 'calendars' | 'pools' | 'defaults', name: string): Span {
    const value = this.#entry(key)?.value;
    const entries = value?.kind === 'map' ? value.entries : [];
    return entries.find((entry) => entry.key === name) ?? this.spanOf(key);
  }

  /** The span of what stands at a path of keys and places in lists, or of what is nearest above it. */
  spanAt(...path: readonly (string | number)[]): Span {
    let tree = this.#tree;
    let span: Span = { start: 0, end: 1 };
    for (const step of path) {
      if (tree?.kind === 'list' && typeof step === 'number') {
        tree = tree.items[step];
        span = tree === undefined ? span : { start: tree.start, end: tree.start + 1 };
        continue;
      }
      const entry: Entry | undefined =
        tree?.kind === 'map' ? tree.entries.find(({ key }) => key === step) : undefined;
      if (entry === undefined) break;
      span = entry;
      tree = entry.value;
    }
    return span;
  }

  namesIn(key: 'notifiers' | 'calendars' | 'pools'): string[] {
    const value = this.#entry(key)?.value;
    return value?.kind === 'map' ? value.entries.map((entry) => entry.key) : [];
  }

  #entry(key: string): Entry | undefined {
    const entries = this.#tree?.kind === 'map' ? this.#tree.entries : [];
    return entries.find((entry) => entry.key === key);
  }

  /** Where a key of a job stands; its id, where the key comes of `defaults`. */
  spanOfKey(job: OutlinedJob, key: string): Span {
    return this.#entryIn(job, key) ?? job.entry;
  }

  #entryIn({ entry: { value } }: OutlinedJob, key: string): Entry | undefined {
    return key !== '' && value.kind === 'map' ? value.entries.find((one) => one.key === key) : undefined;
  }

  /** Reports at a key of a job, or at its id. */
  say(
    severity: 'error' | 'warning',
    job: OutlinedJob,
    at: { key: string; message: string; hint?: string; related?: Related },
  ): void {
    const { key, ...problem } = at;
    const entry = this.#entryIn(job, key);
    const path = join(join('jobs', job.id), entry === undefined ? '' : key).replace(/\.$/, '');
    if (severity === 'error') this.reader.problem(entry ?? job.entry, path, problem);
    else this.reader.warning(entry ?? job.entry, path, problem);
  }

  /**
   * All that was found, without what is only an echo: past a syntax error the rest of that job (or top-level part) has
   * been misread, so what it seems to say is not reported.
   */
  diagnostics(): Diagnostic[] {
    const broken = new Map<number, number>();
    const breakAt = (part: number, offset: number): void => {
      broken.set(part, Math.min(offset, broken.get(part) ?? offset));
    };
    for (const offset of this.#syntax) breakAt(this.#partOf(offset), offset);
    // What starts on the very line of an error is not what it seems: most often it is indented wrongly.
    const lines = new Set(this.#syntax.map((offset) => this.source.line(offset)));
    if (lines.size > 0) {
      for (const part of this.#parts) if (lines.has(this.source.line(part))) breakAt(part, part);
    }
    return this.#found
      .filter(({ offset }, index) => {
        if (index < this.#syntax.length) return true;
        const part = this.#partOf(offset);
        const error = broken.get(part);
        return error === undefined || (offset < error && offset !== part);
      })
      .map(({ diagnostic }) => diagnostic);
  }

  /** Start of the part that an offset lies in. */
  #partOf(offset: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#parts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#parts[low - 1] ?? 0;
  }

  #readTop(tree: Tree | undefined): void {
    if (tree === undefined || (tree.kind === 'scalar' && tree.value === null)) {
      this.#wholeFile({
        message: 'the file is empty',
        hint: 'a job file has a mapping jobs:; "tsched init" writes an example',
      });
      return;
    }
    if (tree.kind !== 'map') {
      this.#wholeFile({ message: 'this is not a job file', hint: 'it must be a mapping with the key jobs:' });
      return;
    }
    this.#parts.push(...tree.entries.map((entry) => entry.start));
    const entries = this.reader.entries(tree, '') ?? [];
    const settings = { ...tree, entries: entries.filter((entry) => entry.key !== 'jobs') };
    Object.assign(this.settings, this.reader.readMap(settings, map(FILE_FIELDS), ''));
    const jobs = entries.find((entry) => entry.key === 'jobs');
    if (jobs !== undefined) this.#readJobs(jobs.value);
    else if (!('include' in this.settings)) this.#missingJobs();
    this.#parts.sort((a, b) => a - b);
  }

  #missingJobs(): void {
    this.#wholeFile({
      message: 'the file has no jobs',
      hint: 'add the key jobs:, with a mapping from id to job',
    });
  }

  #wholeFile(problem: { message: string; hint: string }): void {
    // Where YAML itself is wrong, this would only be an echo.
    if (this.#syntax.length > 0) return;
    const { name } = this.source;
    const diagnostic = {
      severity: 'error',
      file: name,
      line: 1,
      column: 1,
      length: 0,
      path: '',
      ...problem,
    } as const;
    this.#found.push({ diagnostic, offset: 0 });
  }

  #readJobs(tree: Tree): void {
    if (tree.kind === 'scalar' && tree.value === null) return this.#missingJobs();
    const entries = this.reader.allEntries(tree, 'jobs') ?? [];
    for (const entry of entries) this.#parts.push(entry.start);
    for (const entry of entries) {
      const path = join('jobs', entry.key);
      if (!JOB_ID.test(entry.key)) {
        this.reader.problem(entry, path, {
          message: `"${entry.key}" cannot be a job id`,
          hint: 'use letters, digits, ".", "_" and "-", at most 128, starting with a letter or digit',
        });
      }
      const values = this.reader.readJob(entry.value, JOB_FIELDS, { path, id: entry.key });
      if (values !== undefined) this.jobs.push({ id: entry.key, values, entry });
    }
  }
}
