/** yacron's job files. */
import { dirname, join } from 'node:path/posix';
import type { Json } from '../../model.ts';
import { checkZone } from '../../schedule/zone-name.ts';
import { translateCron, type Translated } from './foreign-cron.ts';
import { ALLOWED_INSTANCES } from '../fields.ts';
import { graceTime, readDocuments, record, seconds, type Item } from './foreign-yaml.ts';
import { Collection, type Fields, type Imported } from './imported.ts';
import { leftBehind } from './left-behind.ts';

const GENERAL = [
  'times missed while the daemon was down: yacron forgets them, tsched runs the newest if it is no older than an hour (`misfire`)',
];

/** Keys that are carried over, or change nothing here. */
const KNOWN = new Set(
  `name command schedule shell concurrencyPolicy executionTimeout killTimeout environment env_file user group enabled utc timezone
  onFailure failsWhen captureStderr captureStdout saveLimit maxLineLength streamPrefix`.split(/\s+/),
);

/** The text of a file that the imported one names, relative to it; undefined when it cannot be read. */
export type ReadBeside = (path: string) => string | undefined;

/** @throws NotImported when a text is no YAML */
export async function importYacron(text: string, readBeside: ReadBeside): Promise<Imported> {
  const collection = new Collection();
  for (const general of GENERAL) collection.changed({ line: 0, text: general });
  await new YacronFiles(collection, readBeside).read(text, '');
  return collection.result();
}

/** A file and what it includes: of that, defaults hold here too, behind its own, and jobs come first. */
class YacronFiles {
  readonly #collection: Collection;
  readonly #readBeside: ReadBeside;
  readonly #seen = new Set<string>(['']);

  constructor(collection: Collection, readBeside: ReadBeside) {
    this.#collection = collection;
    this.#readBeside = readBeside;
  }

  /** Gives the defaults of the file, the strongest first. */
  async read(text: string, file: string): Promise<readonly Item[]> {
    const defaults: Item[] = [];
    for (const document of await readDocuments(text, file)) {
      const included: Item[] = [];
      for (const item of document.get('include').items)
        included.unshift(...(await this.#include(item, dirname(file))));
      defaults.unshift(document.get('defaults'), ...included);
      for (const key of document.keys.filter((name) => !TOP.has(name)))
        this.#collection.changed({
          ...placeOf(document.get(key)),
          text: `"${key}" at the top is not carried over`,
        });
      for (const job of document.get('jobs').items) new YacronJob(this.#collection, job, defaults).read();
    }
    return defaults;
  }

  async #include(item: Item, directory: string): Promise<readonly Item[]> {
    const path = join(directory, item.text ?? '');
    const isNew = !this.#seen.has(path);
    this.#seen.add(path);
    const text = isNew ? this.#readBeside(path) : undefined;
    if (text !== undefined) return await this.read(text, path);
    const why = isNew ? 'cannot be read' : 'is included more than once';
    this.#collection.changed({ ...placeOf(item), text: `${path} ${why} and is not carried over` });
    return [];
  }
}

const TOP = new Set(['include', 'defaults', 'jobs']);

function placeOf({ line, file }: Item): { line: number; file?: string } {
  return file === undefined ? { line } : { line, file };
}

class YacronJob {
  readonly #collection: Collection;
  readonly #job: Item;
  /** The strongest first. */
  readonly #defaults: readonly Item[];
  readonly #id: string;

  constructor(collection: Collection, job: Item, defaults: readonly Item[]) {
    this.#collection = collection;
    this.#job = job;
    this.#defaults = defaults;
    this.#id = collection.id(job.get('name').text ?? '');
  }

  read(): void {
    const command = this.#value('command');
    const schedule = this.#schedule();
    const isList = command.isList;
    const line = isList ? command.items.map((item) => item.text ?? '') : command.text;
    if (typeof schedule === 'string' || line === undefined || line.length === 0) {
      const why = typeof schedule === 'string' ? schedule : 'it has no command';
      this.#changed(this.#job, `not carried over: ${why}`);
      this.#collection.leave([`Not carried over: ${this.#id}, line ${this.#job.line}`]);
      return;
    }
    const disabled = this.#value('enabled').isFalse ? { enabled: false } : {};
    this.#collection.add({
      id: this.#id,
      comments: [],
      fields: {
        ...schedule.fields,
        ...('startup' in schedule.fields || 'every' in schedule.fields ? {} : { timezone: this.#zone() }),
        ...this.#surroundings(),
        ...(isList ? { command: line } : { shell: this.#shell(), run: line }),
        ...this.#policy(),
        ...disabled,
      },
    });
    for (const text of schedule.changes) this.#changed(this.#value('schedule'), text);
    const left = isList ? undefined : leftBehind(command.text ?? '');
    if (left !== undefined) this.#changed(command, left);
    this.#tellOfTheRest();
  }

  /** Its own, else what it inherits: key by key, however deep. */
  #value(...path: readonly string[]): Item {
    const own = this.#job.get(...path);
    return own.isThere ? own : (this.#inherited(path) ?? own);
  }

  #inherited(path: readonly string[]): Item | undefined {
    return this.#defaults.map((defaults) => defaults.get(...path)).find((item) => item.isThere);
  }

  #changed(where: Item, text: string): void {
    const place = placeOf(where.line === 0 ? this.#job : where);
    this.#collection.changed({ ...place, job: this.#id, text });
  }

  #schedule(): Translated {
    const schedule = this.#value('schedule');
    if (schedule.text !== undefined) return fromWords(schedule.text.split(/\s+/));
    if (!schedule.isThere) return 'it has no schedule';
    const fields = ['minute', 'hour', 'dayOfMonth', 'month', 'dayOfWeek', 'year'];
    const words = fields.map((name) => schedule.get(name).text ?? '*');
    return fromWords(schedule.get('second').isThere ? [schedule.get('second').text ?? '', ...words] : words);
  }

  /** yacron counts in UTC unless it is told otherwise. */
  #zone(): string | undefined {
    const zone = this.#value('timezone');
    if (zone.text === undefined) return this.#value('utc').isFalse ? undefined : 'UTC';
    if (checkZone(zone.text) === undefined) return zone.text;
    this.#changed(zone, `${zone.text} is no time zone that tsched knows; the job is in the system's`);
    return undefined;
  }

  #surroundings(): Fields {
    const pairs = [...this.#defaults.toReversed(), this.#job].flatMap(
      (level) => level.get('environment').items,
    );
    const env = pairs.map((pair) => [pair.get('key').text ?? '', pair.get('value').text ?? ''] as const);
    return {
      user: this.#value('user').text,
      group: this.#value('group').text,
      env: record(env.filter(([name]) => /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))),
      env_file: this.#envFile(),
    };
  }

  /** Undefined: the one that tsched takes too. */
  #shell(): string | undefined {
    const { text = '/bin/sh' } = this.#value('shell');
    return text === '/bin/sh' || text === '' ? undefined : text;
  }

  #envFile(): string | undefined {
    const file = this.#value('env_file');
    if (file.text === undefined || file.text === '') return undefined;
    this.#changed(
      file,
      `env_file ${file.text} is sought beside the job file, and may be missing; without its "?" it must be there`,
    );
    return `?${file.text}`;
  }

  #policy(): Fields {
    const policy = this.#value('concurrencyPolicy');
    const overlap = { Forbid: 'skip', Replace: 'replace' }[policy.text ?? ''];
    if (overlap === undefined)
      this.#changed(
        policy,
        `any number could run at once; here no more than \`max_instances\`, ${ALLOWED_INSTANCES}`,
      );
    return {
      overlap: overlap ?? 'allow',
      retry: this.#retry(),
      timeout: seconds(this.#value('executionTimeout').number),
      kill_after: graceTime(this.#value('killTimeout').number ?? 30),
    };
  }

  #retry(): Json | undefined {
    const of = (key: string): number | undefined => this.#value('onFailure', 'retry', key).number;
    const limit = of('maximumRetries') ?? 0;
    if (limit === 0) return undefined;
    const retry = this.#value('onFailure', 'retry');
    const multiplier = of('backoffMultiplier') ?? 2;
    if (multiplier !== 1 && multiplier !== 2)
      this.#changed(retry, `backoffMultiplier ${multiplier}: here each wait doubles`);
    if (limit < 0) this.#changed(retry, 'yacron retries for ever; here 1000 times');
    return {
      limit: limit < 0 ? 1000 : Math.min(limit, 1000),
      delay: seconds(of('initialDelay')) ?? '1s',
      backoff: multiplier === 1 ? 'constant' : 'exponential',
      max_delay: seconds(of('maximumDelay')) ?? '5m',
      jitter: false,
    };
  }

  #tellOfTheRest(): void {
    const fails = (key: string): Item => this.#value('failsWhen', key);
    if (!fails('producesStderr').isFalse && !this.#value('captureStderr').isFalse)
      this.#changed(
        fails('producesStderr'),
        'output on standard error is no failure here, only the exit code is',
      );
    if (fails('producesStdout').isTrue)
      this.#changed(
        fails('producesStdout'),
        'output on standard output is no failure here, only the exit code is',
      );
    if (fails('nonzeroReturn').isFalse)
      this.#changed(
        fails('nonzeroReturn'),
        'a run that ends with another exit code than 0 fails here; see `success_exit_codes`',
      );
    if (fails('always').isTrue)
      this.#changed(fails('always'), 'a run fails here by its exit code, not always');
    for (const key of ['onFailure', 'onPermanentFailure', 'onSuccess']) {
      const report = this.#value(key).get('report');
      if (report.isThere) this.#changed(report, `the report of ${key} is not carried over`);
    }
    for (const key of new Set([...this.#defaults, this.#job].flatMap(({ keys }) => keys))) {
      if (KNOWN.has(key) || /^on(?:Permanent|Success)/.test(key)) continue;
      this.#changed(this.#value(key), `"${key}" is not carried over`);
    }
  }
}

/** Of six fields the last is the year, of seven the first is the second. */
function fromWords(words: readonly string[]): Translated {
  if (words[0]?.startsWith('@') === true || words.length < 6)
    return translateCron(words.join(' '), 'parse-crontab');
  if (words.at(-1) !== '*') return 'it names a year, which cron expressions of tsched do not have';
  return translateCron(words.slice(0, -1).join(' '), 'parse-crontab');
}
