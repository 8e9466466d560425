/**
 * A job file with its includes and env files, to definitions or diagnostics. The daemon runs this in a process of its own
 * (apart.ts), the command line in place.
 */
import { globSync } from 'node:fs';
import { dirname, isAbsolute, join as joinPath, resolve } from 'node:path';
import type { JobDefinition } from '../model.ts';
import type { Problem } from '../schedule/problem.ts';
import { Builder, contradictions, withDefaults } from './build.ts';
import { CalendarBook } from './calendars.ts';
import { Chain } from './chain.ts';
import { distinct, inLineOrder, type Diagnostic } from './diagnostic.ts';
import { EnvFiles, type Variables } from './env-file.ts';
import { hashOf, once } from './hash.ts';
import { strangeZone } from './host-zone.ts';
import { whyNoPattern } from './include.ts';
import type { JobDocument, LoadOptions, LoadResult } from './loaded.ts';
import { NotifierBook } from './notifiers.ts';
import { retentionOf } from './retention.ts';
import { Outline, type OutlinedJob } from './outline.ts';
import { PoolBook } from './pools.ts';
import { parsePlainYaml } from './plain-yaml.ts';
import type { Values } from './read.ts';
import {
  decode,
  distrust,
  excerpt,
  MAX_FILE_SIZE,
  MISSING,
  readBytes,
  Source,
  stampAt,
  stampOf,
  tooLong,
  type Bytes,
} from './source.ts';
import type { Parsed } from './tree.ts';

export type { JobDocument, LoadedFile, LoadOptions, LoadResult } from './loaded.ts';

const MAX_JOBS = 250_000;

/** What makes a path a glob. */
const MAGIC = /[*?[]/;

/** Reads a job file. Never throws on any content of any file. */
export function readJobFile(path: string, options: LoadOptions): Promise<LoadResult> {
  return new Loading(path, options).result();
}

/** Settings of a file that hold for its jobs. */
interface Scope {
  readonly timezone: string;
  readonly env: Variables;
  readonly defaults: Values;
}

class Loading {
  readonly #path: string;
  readonly #name: string;
  readonly #options: LoadOptions;
  /** Documents by their absolute paths. */
  readonly #given: ReadonlyMap<string, JobDocument>;
  readonly #content: [path: string, bytes: Buffer | undefined][] = [];
  readonly #watched = new Set<string>();
  readonly #stamps: Record<string, string> = {};
  readonly #sources: Source[] = [];
  readonly #outlines: Outline[] = [];
  readonly #loose: Diagnostic[] = [];
  readonly #jobs: JobDefinition[] = [];
  readonly #first = new Map<string, { outline: Outline; job: OutlinedJob }>();
  readonly #chain = new Chain();
  readonly #builder = new Builder();
  readonly #book: NotifierBook;
  readonly #pools: PoolBook;
  readonly #envFiles: EnvFiles;
  readonly #calendars: CalendarBook;
  #missing = false;
  #incomplete = false;

  constructor(path: string, options: LoadOptions) {
    this.#path = resolve(path);
    this.#name = options.documents?.[0]?.path ?? path;
    this.#options = options;
    const { documents = [] } = options;
    this.#given = new Map(
      documents.map((document) => [resolve(dirname(this.#path), document.path), document]),
    );
    this.#book = new NotifierBook(options.notifiers);
    this.#calendars = new CalendarBook((path, file) => this.#saw(path, file), options.now);
    this.#pools = new PoolBook(options.pools);
    this.#envFiles = new EnvFiles((path, file) => {
      this.#saw(path, file);
      // LD_PRELOAD and PATH choose what runs as well as any job does.
      if (file.ok) this.#loose.push(...distrust({ path, name: path }, file.stat, options.uid));
    });
  }

  async result(): Promise<LoadResult> {
    const host: Scope = { timezone: this.#options.hostTimezone, env: {}, defaults: {} };
    const main = await this.#outline(this.#path, this.#name);
    if (main === undefined) return this.#conclude(host.timezone, {});
    const scope = this.#scope(main, host);
    const included = await this.#include(main);
    for (const outline of [main, ...included]) {
      this.#book.add(outline);
      this.#calendars.add(outline);
      this.#pools.add(outline);
    }
    this.#calendars.make();
    this.#addJobs(main, scope);
    for (const outline of included) this.#addJobs(outline, this.#scope(outline, scope));
    const { hostTimezone, environment, documents } = this.#options;
    // Documents may come from another host.
    if (documents === undefined && this.#jobs.some(({ schedule }) => schedule.timezone === hostTimezone))
      this.#loose.push(...strangeZone(this.#name, environment, hostTimezone));
    this.#book.warnOfUnused();
    if (this.#options.tests === true) {
      const { runTests } = await import('./tests.ts');
      for (const outline of [main, ...included])
        runTests(outline, { jobs: this.#jobs, calendars: this.#calendars, now: this.#options.now });
    }
    this.#calendars.warn();
    this.#pools.warnOfUnused();
    this.#chain.check(this.#options.jobs);
    return this.#conclude(scope.timezone, main.settings);
  }

  #conclude(timezone: string, { history }: Values): LoadResult {
    const names = this.#sources.map((source) => source.name);
    const found = distinct([...this.#loose, ...this.#outlines.flatMap((outline) => outline.diagnostics())]);
    const all = inLineOrder(found, [this.#name, ...names]);
    const { maxDiagnostics } = this.#options;
    const errors = all.filter(({ severity }) => severity === 'error').slice(0, maxDiagnostics);
    const warnings = all.filter(({ severity }) => severity === 'warning').slice(0, maxDiagnostics);
    const told = [...errors, ...warnings];
    const watched = [...this.#watched];
    const sources = this.#sources.map(({ path }) => path);
    const texts = new Map(this.#sources.map((source) => [source.name, excerpt(source, told)]));
    if (errors.length > 0)
      return {
        ok: false,
        errors,
        warnings,
        sources,
        watched,
        stamps: this.#stamps,
        texts,
        incomplete: this.#incomplete,
        missing: this.#missing,
      };
    const hash = once(() => hashOf(this.#content.splice(0)));
    const file = {
      path: this.#path,
      jobs: this.#jobs,
      notifiers: this.#book.notifiers,
      pools: this.#pools.pools,
      warnings,
      sources,
      watched,
      stamps: this.#stamps,
      get hash(): string {
        return hash();
      },
      timezone,
      history: retentionOf(history as Parameters<typeof retentionOf>[0]),
      texts,
    };
    return { ok: true, file };
  }

  /** Notes what a file held, for the hash and for watching. */
  #saw(path: string, file: Bytes): void {
    this.#watched.add(path);
    this.#stamps[path] = file.ok ? stampOf(file.stat) : MISSING;
    this.#content.push([path, file.ok ? file.bytes : undefined]);
  }

  async #outline(path: string, name: string): Promise<Outline | undefined> {
    const { text, maxFileSize = MAX_FILE_SIZE } = this.#options;
    if (text !== undefined && path === this.#path) return this.#outlineText(new Source(path, name, text));
    const given = this.#given.get(path);
    if (given !== undefined) return this.#outlineGiven(new Source(path, name, given.text), maxFileSize);
    const file = readBytes(path, maxFileSize);
    this.#saw(path, file);
    if (!file.ok) {
      this.#missing = file.missing && path === this.#path;
      return this.#refuse(name, file);
    }
    const decoded = decode(file.bytes);
    if (!decoded.ok) return this.#refuse(name, decoded);
    const source = new Source(path, name, decoded.text);
    this.#loose.push(...distrust(source, file.stat, this.#options.uid));
    return this.#outlineText(source);
  }

  async #outlineGiven(source: Source, limit: number): Promise<Outline | undefined> {
    const bytes = Buffer.from(source.text);
    this.#content.push([source.path, bytes]);
    return bytes.length > limit ? this.#refuse(source.name, tooLong(limit)) : this.#outlineText(source);
  }

  async #outlineText(source: Source): Promise<Outline> {
    this.#sources.push(source);
    const outline = new Outline(source, await parse(source), this.#options.environment);
    this.#outlines.push(outline);
    return outline;
  }

  #refuse(file: string, { message, hint }: { message: string; hint?: string }): undefined {
    this.#incomplete = true;
    const words = hint === undefined ? { message } : { message, hint };
    this.#loose.push({ severity: 'error', file, line: 1, column: 1, length: 0, path: '', ...words });
  }

  /** The files that `include` names, in order, each once. */
  async #include(main: Outline): Promise<Outline[]> {
    const patterns = (main.settings['include'] ?? []) as string[];
    const found = this.#given.size === 0 ? this.#found(main, patterns) : this.#besides(main, patterns);
    const outlines: Outline[] = [];
    for (const [path, name] of found) {
      const outline = await this.#outline(path, name);
      if (outline === undefined) continue;
      for (const [key, message, hint] of ONLY_IN_MAIN) {
        if (key in outline.settings) outline.reader.problem(outline.spanOf(key), key, { message, hint });
      }
      outlines.push(outline);
    }
    return outlines;
  }

  /** Paths, and how they are called. */
  #found(main: Outline, patterns: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    for (const pattern of patterns) {
      for (const name of this.#matches(main, pattern)) {
        const path = resolve(main.source.directory, name);
        const shown = isAbsolute(name) ? name : joinPath(dirname(this.#name), name);
        if (path !== this.#path) found.set(path, shown);
      }
    }
    return found;
  }

  /** Whoever gathered the documents looked up the globs; what is named outright must be among them. */
  #besides(main: Outline, patterns: readonly string[]): Map<string, string> {
    const found = new Map(Array.from(this.#given, ([path, document]) => [path, document.path]));
    for (const pattern of patterns) {
      const isThere = MAGIC.test(pattern) || found.has(resolve(main.source.directory, pattern));
      const missing = { message: `${pattern} is not among the files that came with this one` };
      const problem = whyNoPattern(pattern) ?? (isThere ? undefined : missing);
      if (problem !== undefined) main.reader.problem(main.spanOf('include'), 'include', problem);
    }
    found.delete(this.#path);
    return found;
  }

  #matches(main: Outline, pattern: string): string[] {
    const problem =
      this.#options.text === undefined
        ? whyNoPattern(pattern)
        : {
            message: 'jobs that are given as text cannot include files',
            hint: 'write them all into the text',
          };
    if (problem !== undefined) {
      main.reader.problem(main.spanOf('include'), 'include', problem);
      return [];
    }
    const magic = MAGIC.exec(pattern);
    if (magic === null) return [pattern];
    // A file that appears later must be noticed, so the directory that the glob starts from is watched too.
    const directory = resolve(main.source.directory, pattern.slice(0, magic.index).replace(/[^/]*$/, ''));
    this.#watched.add(directory);
    this.#stamps[directory] = stampAt(directory);
    if (this.#stamps[directory] === MISSING) {
      const message = `there is no directory ${directory}, so this includes nothing`;
      main.reader.warning(main.spanOf('include'), 'include', { message });
    }
    return globSync(pattern, { cwd: main.source.directory }).sort();
  }

  #scope(outline: Outline, outer: Scope): Scope {
    const { timezone, env, env_file, defaults } = outline.settings;
    const complain = (key: string) => (problem: Problem) =>
      outline.reader.problem(outline.spanOf(key), key, problem);
    const files = this.#envFiles.all((env_file ?? []) as string[], complain('env_file'));
    const own = this.#envFiles.resolved((env ?? {}) as Variables, complain('env'));
    return {
      timezone: (timezone as string | undefined) ?? outer.timezone,
      env: { ...outer.env, ...files, ...own },
      defaults: withDefaults(outer.defaults, (defaults as Values | undefined) ?? {}),
    };
  }

  #addJobs(outline: Outline, scope: Scope): void {
    const defaults = (outline.settings['defaults'] ?? {}) as Values;
    const complain = (key: string, problem: Problem): void => {
      outline.reader.problem(outline.spanIn('defaults', key), `defaults.${key}`, problem);
    };
    this.#book.use(defaults['notify'], (problem) => complain('notify', problem));
    this.#calendars.check(defaults, complain);
    const limit = this.#options.maxJobs ?? MAX_JOBS;
    for (const job of outline.jobs) {
      if (this.#jobs.length >= limit) {
        outline.say('error', job, { key: '', message: `more than ${limit} jobs` });
        return;
      }
      this.#checkUnique(outline, job);
      this.#jobs.push(this.#define(outline, job, scope));
    }
  }

  #checkUnique(outline: Outline, job: OutlinedJob): void {
    const first = this.#first.get(job.id);
    if (first === undefined) this.#first.set(job.id, { outline, job });
    // Within one file the reader has said so.
    if (first === undefined || first.outline === outline) return;
    const place = outline.source.place(job.entry.start);
    const related = { ...first.outline.source.place(first.job.entry.start), message: 'first written here' };
    const message = `duplicate job id "${job.id}"`;
    const span = { length: job.entry.end - job.entry.start, path: `jobs.${job.id}` };
    this.#loose.push({ severity: 'error', ...place, ...span, message, related });
  }

  #define(outline: Outline, job: OutlinedJob, scope: Scope): JobDefinition {
    const { source } = outline;
    const values = withDefaults(scope.defaults, job.values);
    const { errors, warnings } = contradictions(values, job.values);
    for (const [key, problem] of errors) outline.say('error', job, { key, ...problem });
    for (const [key, problem] of warnings) outline.say('warning', job, { key, ...problem });
    const complain = (key: string, problem: Problem): void => outline.say('error', job, { key, ...problem });
    this.#book.use(job.values['notify'], (problem) => complain('notify', problem));
    this.#calendars.check(job.values, complain);
    this.#pools.use(values['pool'], (problem) => complain('pool', problem));
    const definition = this.#builder.build(
      {
        id: job.id,
        source: { file: source.path, line: source.line(job.entry.start) },
        values,
        env: this.#environmentOf(outline, job, { scope, values }),
        timezone: scope.timezone,
        directory: source.directory,
        days: this.#calendars.rule(values, complain),
      },
      complain,
    );
    this.#chain.add({ outline, job, values, enabled: definition.enabled });
    this.#warnOfPast(outline, job, definition);
    return definition;
  }

  #environmentOf(
    outline: Outline,
    job: OutlinedJob,
    { scope, values }: { scope: Scope; values: Values },
  ): Variables {
    const { env, env_file } = values;
    if (env === undefined && env_file === undefined) return scope.env;
    const complain = (key: string) => (problem: Problem) => outline.say('error', job, { key, ...problem });
    const files = this.#envFiles.all((env_file ?? []) as string[], complain('env_file'));
    const own = this.#envFiles.resolved((env ?? {}) as Variables, complain('env'));
    return { ...scope.env, ...files, ...own };
  }

  #warnOfPast(outline: Outline, job: OutlinedJob, { schedule, enabled }: JobDefinition): void {
    const { now } = this.#options;
    // One that is wrong stands there as 0, and is told already.
    const times = schedule.triggers.flatMap((trigger) => (trigger.kind === 'at' ? trigger.instants : [now]));
    const over = times.length > 0 && times.every((instant) => instant !== 0 && instant < now);
    if (over && enabled && !('at' in job.values && job.values['at'] === undefined)) {
      outline.say('warning', job, { key: 'at', message: 'all of its times are past, so it will not run' });
    }
    if (schedule.end !== undefined && schedule.end < now && enabled) {
      outline.say('warning', job, { key: 'end', message: 'this is past, so the job will not run' });
    }
  }
}

/** Settings that hold for the whole set, and what to say where an included file has one. */
const ONLY_IN_MAIN = [
  ['include', 'an included file cannot include others', 'list them all in the main file'],
  [
    'history',
    'an included file cannot say how much history is kept',
    'say it in the main file, for all jobs',
  ],
] as const;

/** A text as a tree with positions: by the quick way where it is plain, else by the whole of YAML. */
export async function parse(source: Source): Promise<Parsed> {
  const tree = parsePlainYaml(source.text);
  if (tree !== undefined) return { tree, problems: [], unquoted: [] };
  const { parseYaml } = await import('./syntax.ts');
  return parseYaml(source);
}
