/** yacron's job files. */
import type { Json } from '../../model.ts';
import { checkZone } from '../../schedule/zone-name.ts';
import { translateCron, type Translated } from './foreign-cron.ts';
import type { Item } from './foreign-yaml.ts';
import { record, seconds } from './foreign-yaml.ts';
import { Collection, type Fields, type Imported } from './imported.ts';

const GENERAL = [
  'times missed while the daemon was down: yacron forgets them, tsched runs the newest if it is no older than an hour (`misfire`)',
];

/** Keys that are carried over, or change nothing here. */
const KNOWN = new Set(
  `name command schedule shell concurrencyPolicy executionTimeout killTimeout environment env_file user group enabled utc timezone
  onFailure failsWhen captureStderr captureStdout saveLimit maxLineLength streamPrefix`.split(/\s+/),
);

export function importYacron(documents: readonly Item[]): Imported {
  const collection = new Collection();
  for (const text of GENERAL) collection.changed({ line: 0, text });
  for (const document of documents) {
    const defaults = document.get('defaults');
    for (const key of document.keys.filter((name) => name !== 'jobs' && name !== 'defaults'))
      collection.changed({ line: document.get(key).line, text: `"${key}" at the top is not carried over` });
    for (const job of document.get('jobs').items) new YacronJob(collection, job, defaults).read();
  }
  return collection.result();
}

class YacronJob {
  readonly #collection: Collection;
  readonly #job: Item;
  readonly #defaults: Item;
  readonly #id: string;

  constructor(collection: Collection, job: Item, defaults: Item) {
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
    this.#tellOfTheRest();
  }

  #value(key: string): Item {
    const own = this.#job.get(key);
    return own.isThere ? own : this.#defaults.get(key);
  }

  #changed(where: Item, text: string): void {
    this.#collection.changed({ line: where.line || this.#job.line, job: this.#id, text });
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
    const pairs = [...this.#defaults.get('environment').items, ...this.#job.get('environment').items];
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
    const overlap = { Forbid: 'skip', Replace: 'replace' }[this.#value('concurrencyPolicy').text ?? ''];
    return {
      overlap: overlap ?? 'allow',
      retry: this.#retry(),
      timeout: seconds(this.#value('executionTimeout').number),
      kill_after: seconds(this.#value('killTimeout').number ?? 30),
    };
  }

  #retry(): Json | undefined {
    const own = this.#job.get('onFailure', 'retry');
    const retry = own.isThere ? own : this.#defaults.get('onFailure', 'retry');
    const limit = retry.get('maximumRetries').number ?? 0;
    if (limit === 0) return undefined;
    const multiplier = retry.get('backoffMultiplier').number ?? 2;
    if (multiplier !== 1 && multiplier !== 2)
      this.#changed(retry, `backoffMultiplier ${multiplier}: here each wait doubles`);
    if (limit < 0) this.#changed(retry, 'yacron retries for ever; here 1000 times');
    return {
      limit: limit < 0 ? 1000 : Math.min(limit, 1000),
      delay: seconds(retry.get('initialDelay').number) ?? '1s',
      backoff: multiplier === 1 ? 'constant' : 'exponential',
      max_delay: seconds(retry.get('maximumDelay').number) ?? '5m',
      jitter: false,
    };
  }

  #tellOfTheRest(): void {
    const fails = this.#value('failsWhen');
    const stderr = !fails.get('producesStderr').isFalse && !this.#value('captureStderr').isFalse;
    if (stderr) this.#changed(fails, 'output on standard error is no failure here, only the exit code is');
    if (fails.get('producesStdout').isTrue)
      this.#changed(fails, 'output on standard output is no failure here, only the exit code is');
    if (fails.get('nonzeroReturn').isFalse)
      this.#changed(
        fails,
        'a run that ends with another exit code than 0 fails here; see `success_exit_codes`',
      );
    for (const key of ['onFailure', 'onPermanentFailure', 'onSuccess']) {
      const report = this.#value(key).get('report');
      if (report.isThere) this.#changed(report, `the report of ${key} is not carried over`);
    }
    for (const key of new Set([...this.#defaults.keys, ...this.#job.keys])) {
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
