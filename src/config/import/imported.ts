/** What a file of another scheduler came to: jobs as a job file has them, and all that means something else there. */
import type { Json } from '../../model.ts';
import { JOB_ID } from '../fields.ts';

/** A job's keys in the order they are to be written. Values are literal: what looks like `${NAME}` is escaped by the writer. */
export interface Fields {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly [key: string]: Json | undefined;
}

export interface ImportedJob {
  readonly id: string;
  /** Lines to stand above it. */
  readonly comments: readonly string[];
  readonly fields: Fields;
}

/** Something that means another thing, or nothing, in tsched. */
export interface Change {
  /** Where it stands in the file; 0 for the file as a whole. */
  readonly line: number;
  /** Where that is another file than the one imported, which names it. */
  readonly file?: string;
  readonly job?: string;
  readonly text: string;
}

export interface Imported {
  /** Lines to stand first, as they are. */
  readonly preamble: readonly string[];
  /** Variables of all jobs. */
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: readonly ImportedJob[];
  /** Lines to stand at the end. */
  readonly rest: readonly string[];
  readonly changes: readonly Change[];
}

export type ImportKind = 'crontab' | 'supercronic' | 'yacron' | 'kubernetes';

/** The file cannot be read as what it was said to be. */
export class NotImported extends Error {
  override readonly name = 'NotImported';
}

/** Gathers jobs and changes; every id is good and there once. */
export class Collection {
  readonly preamble: string[] = [];
  readonly #jobs: ImportedJob[] = [];
  readonly #changes: Change[] = [];
  readonly #ids = new Set<string>();
  #rest: readonly string[] = [];

  /** The nearest good id that is not taken; `wanted` may be any text. */
  id(wanted: string): string {
    const plain = wanted
      .normalize('NFKD')
      .replaceAll(/[^\w.-]+/g, '-')
      .replaceAll(/^[^A-Za-z0-9]+|[.-]+$/g, '')
      .slice(0, 100);
    const base = JOB_ID.test(plain) ? plain : 'job';
    let id = base;
    for (let count = 2; this.#ids.has(id); count += 1) id = `${base}-${count}`;
    this.#ids.add(id);
    return id;
  }

  get count(): number {
    return this.#jobs.length;
  }

  add(job: ImportedJob): void {
    this.#jobs.push(job);
  }

  changed(change: Change): void {
    this.#changes.push(change);
  }

  /** What stands in no job's place goes to the end, as comments. */
  leave(lines: readonly string[]): void {
    this.#rest = [...this.#rest, ...lines];
  }

  result(): Imported {
    const env = sharedVariables(this.#jobs);
    const jobs = this.#jobs.map((job) => ({
      ...job,
      fields: { ...job.fields, env: without(job.fields.env, env) },
    }));
    const changes = this.#changes.toSorted(
      (a, b) => (a.file ?? '').localeCompare(b.file ?? '') || a.line - b.line,
    );
    return { preamble: this.preamble, env, jobs, rest: this.#rest, changes };
  }
}

/** What every one of several jobs has. */
function sharedVariables(jobs: readonly ImportedJob[]): Record<string, string> {
  const [first, ...others] = jobs.map(({ fields }) => fields.env ?? {});
  if (first === undefined || others.length === 0) return {};
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  );
}

function without(
  own: Readonly<Record<string, string>> | undefined,
  shared: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  const rest = Object.entries(own ?? {}).filter(([name]) => !(name in shared));
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}
