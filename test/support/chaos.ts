/** Households in which daemons are killed again and again, and the account of what became of every slot. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { loadJobFile } from '../../src/config/load.ts';
import type { JobDefinition, RunRecord, SkipRecord } from '../../src/model.ts';
import { afterOf } from '../../src/schedule/follow.ts';
import { Reader } from '../../src/store/sqlite/reader.ts';
import { openToRead } from '../../src/store/sqlite/open.ts';
import type { Life } from '../fixtures/programs/chaos-daemon.ts';
import { Audit, executionsIn, linesOf } from './audit.ts';
import { until } from './daemon.ts';
import type { Random } from './cron-oracle.ts';

const root = join(import.meta.dirname, '../..');

/** Steps at which a daemon can be made to die, by what it is told when it comes to each. */
export const STEPS = [
  'claim',
  'claimed',
  'start',
  'begun',
  'started',
  'save running',
  'saved running',
  'ended',
  'save finished',
  'saved finished',
  'save retrying',
  'saved retrying',
  'join',
  'joined',
  'save intent',
  'saved intent',
  'unfinished',
  'recover',
  'recovered',
  'close executor',
  'closed executor',
  'close store',
  'closed store',
] as const;

/** Steps of the first daemon of a household. */
export const PLACES = ['place', 'placed'] as const;

/** Bundles the daemon and what it starts: read file by file, each life would take five times as long. */
export async function bundle(directory: string): Promise<string> {
  await build({
    absWorkingDir: root,
    entryPoints: {
      daemon: 'test/fixtures/programs/chaos-daemon.ts',
      'store-thread': 'src/store/sqlite/thread.ts',
      'module-host': 'src/tasks/module-host.ts',
      'thread-host': 'src/tasks/thread-host.ts',
    },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return join(directory, 'daemon.mjs');
}

/** What jobs do: a line when they begin and one when they end, each in one write. */
export function shellTask(account: string, middle: string, code = '0'): string {
  const line = (what: string): string =>
    `echo "$TSCHED_JOB_ID $TSCHED_SCHEDULED_AT $TSCHED_RUN_ID $TSCHED_ATTEMPT ${what}" >> '${account}'`;
  return `${line('begin')}; ${middle}; code=${code}; ${line('end $code')}; exit $code`;
}

const MODULE = `import { appendFileSync } from 'node:fs';
export default ({ jobId, scheduledAt, runId, attempt, with: { account } }) => {
  const say = (what) =>
    appendFileSync(account, [jobId, new Date(scheduledAt).toISOString(), runId, attempt, what].join(' ') + '\\n');
  say('begin');
  say('end 0');
};
`;

function jobsOf(account: string, begin: number): Record<string, object> {
  const once = (seconds: number) => ({
    at: new Date(begin + seconds * 1000).toISOString(),
    misfire: { run: 'latest', grace: '1h' },
    run: shellTask(account, ':'),
  });
  const module = { module: './task.mjs', with: { account } };
  return {
    tick: { every: '1s', run: shellTask(account, ':') },
    slow: { every: '1s', run: shellTask(account, 'sleep 1.4') },
    flaky: {
      every: '2s',
      overlap: 'allow',
      max_instances: 9,
      retry: { limit: 2, delay: '150ms', backoff: 'constant', jitter: false },
      run: shellTask(account, ':', '$((TSCHED_ATTEMPT % 2))'),
    },
    queue: { every: '1s', overlap: 'queue', run: shellTask(account, 'sleep 0.7') },
    backlog: { every: '1s', misfire: { run: 'all', max: 4 }, run: shellTask(account, 'sleep 0.3') },
    jitter: { every: '1s', jitter: '3s', overlap: 'allow', max_instances: 9, run: shellTask(account, ':') },
    leave: { every: '3s', on_shutdown: 'leave', run: shellTask(account, 'sleep 0.8') },
    parts: {
      every: '3s',
      shards: 3,
      on_shutdown: 'leave',
      retry: { limit: 1, delay: '150ms', backoff: 'constant', jitter: false },
      run: shellTask(account, 'sleep 0.2', '$((TSCHED_SHARD_INDEX % 2))'),
    },
    ...chainOf(account),
    process: { every: '4s', ...module },
    thread: { every: '3s', ...module, isolation: 'thread' },
    ...Object.fromEntries([1, 3, 6, 10, 15, 25, 40].map((at) => [`once-${at}`, once(at)])),
  };
}

/** Two ways from one job, one of which fails at every other slot, and jobs that join them. */
function chainOf(account: string): Record<string, object> {
  const ok = shellTask(account, ':');
  const odd = shellTask(account, ':', '$(($(date -d "$TSCHED_SCHEDULED_AT" +%s) / 2 % 2))');
  const many = { overlap: 'allow', max_instances: 99 };
  return {
    head: { every: '2s', run: ok },
    needy: { every: '2s', needs: 'right', needs_timeout: '3s', run: ok, ...many },
    left: { after: 'head', run: shellTask(account, 'sleep 0.3'), ...many },
    right: { after: 'head', run: odd, ...many },
    all: { after: ['left', 'right'], run: ok, ...many },
    any: { after: { jobs: ['left', 'right'], on: 'failure', when: 'any' }, run: ok, ...many },
    end: {
      after: { jobs: ['head', 'all'], on: 'finish' },
      run: shellTask(account, 'sleep 0.4'),
      overlap: 'queue',
    },
  };
}

/** One state directory, and the daemons that live and die in it, one after another. */
export class Household {
  readonly directory: string;
  readonly #program: string;
  readonly #account: string;
  readonly #jobs: Record<string, object>;
  #pid: number | undefined;
  #words = '';

  constructor(
    directory: string,
    program: string,
    jobs: (account: string, begin: number) => Record<string, object> = jobsOf,
  ) {
    this.directory = directory;
    this.#program = program;
    this.#account = join(directory, 'account');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'task.mjs'), MODULE);
    this.#jobs = jobs(this.#account, Date.now());
    this.#write(this.#jobs);
  }

  /** One life; `outside`: it is killed from outside after so many milliseconds. Gives how it ended. */
  async live(life: Omit<Life, 'directory'>, outside?: number): Promise<string> {
    const child = spawn(
      process.execPath,
      [this.#program, JSON.stringify({ ...life, directory: this.directory })],
      {
        cwd: this.directory,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#pid = child.pid;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#words += text));
    let ended: string | undefined;
    child.once('exit', (code, signal) => (ended = String(code ?? signal)));
    if (outside !== undefined) {
      await pause(outside);
      if (child.kill('SIGKILL')) appendFileSync(join(this.directory, 'kills'), 'outside\n');
    }
    const told = (): string => ` in ${this.directory} (${JSON.stringify(life)}): ${this.#words}`;
    await until('a life to end', () => ended, { told, patience: 180_000 });
    this.#pid = undefined;
    return ended ?? '';
  }

  /** Asks the daemon that lives now to stop. */
  stop(): void {
    if (this.#pid !== undefined) process.kill(this.#pid, 'SIGTERM');
  }

  get kills(): string[] {
    return linesOf(join(this.directory, 'kills'));
  }

  /** A last daemon that is not killed until it has decided over every job; then one under which nothing new begins, until all is over. */
  async settle(): Promise<ReturnType<Reader['places']>> {
    const begun = Date.now();
    const last = this.live({});
    const lag = (): string[] =>
      [...this.#reading((reader) => reader.places())].flatMap(([id, { from }]) =>
        from < begun && !id.startsWith('once') ? [id] : [],
      );
    const told = (): string => `, but ${lag().join()} in ${this.directory}: ${this.#words}`;
    await until('every job to be decided over', () => lag().length === 0, { told, patience: 180_000 });
    this.stop();
    await last;
    const places = this.#reading((reader) => reader.places());
    const rest = Object.entries(this.#jobs).map(
      ([id, job]) => [id, { ...job, enabled: 'after' in job }] as const,
    );
    this.#write(Object.fromEntries(rest));
    const over = this.live({});
    await this.over();
    this.stop();
    await over;
    return places;
  }

  /** Resolves when nothing runs, and no follower waits for its turn. */
  over(): Promise<unknown> {
    const isOver = (reader: Reader): boolean =>
      reader.figures().active === 0 &&
      reader.joins().every(({ state }) => state === 'skipped' || state === 'decided');
    const told = (): string => ` in ${this.directory}: ${this.#words}`;
    return until('all runs to be over', () => this.#reading(isOver), { told });
  }

  /** Everything that became of slots. */
  rows(): { runs: readonly RunRecord[]; skips: readonly SkipRecord[] } {
    const rows = this.#reading((reader) => reader.rows({ limit: 1_000_000 }));
    return {
      runs: rows.flatMap((row) => ('run' in row ? [row.run] : [])),
      skips: rows.flatMap((row) => ('skip' in row ? [row.skip] : [])),
    };
  }

  /** Everything that is not as promised, each in a line that tells where. */
  async audit(places: ReturnType<Reader['places']>): Promise<string[]> {
    this.#write(this.#jobs);
    const definitions = await this.#definitions();
    const { runs, skips } = this.rows();
    const audit = new Audit(runs, skips, executionsIn(this.#account));
    const begun = new Map(
      linesOf(join(this.directory, 'places')).map((line) => line.split(' ') as [string, string]),
    );
    for (const definition of definitions) {
      const after = afterOf(definition.schedule);
      if (after !== undefined) {
        audit.followed(definition.id, after);
        continue;
      }
      const place = places.get(definition.id);
      if (place === undefined) audit.say(`${definition.id} has no place`);
      else audit.slots(definition, { from: Number(begun.get(definition.id)), to: place.from });
    }
    audit.runs(new Map(definitions.map((each) => [each.id, each])));
    return audit.findings;
  }

  get words(): string {
    return this.#words;
  }

  /** What its daemons said of a disk that stood still or failed: then, and only then, one that is killed may forget what it began. */
  get troubles(): string[] {
    return linesOf(join(this.directory, 'log')).filter((line) => line.includes('"store_degraded"'));
  }

  async #definitions(): Promise<readonly JobDefinition[]> {
    const result = await loadJobFile(join(this.directory, 'jobs.yaml'), {
      environment: {},
      hostTimezone: 'UTC',
      now: Date.now(),
    });
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    return result.file.jobs;
  }

  #write(jobs: Record<string, object>): void {
    writeFileSync(join(this.directory, 'jobs.yaml'), JSON.stringify({ jobs }));
  }

  #reading<T>(read: (reader: Reader) => T): T {
    const reader = new Reader(openToRead(join(this.directory, 'state/tsched.db')));
    try {
      return read(reader);
    } finally {
      reader.close();
    }
  }
}

/** Decides what each life comes to: the steps that were come to least, and now and then one from outside. */
export class Fates {
  readonly #random: Random;
  #lives = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `isFirst`: of its household, when jobs are given their places; `kills`: all so far. */
  next(isFirst: boolean, kills: readonly string[]): { life: Omit<Life, 'directory'>; outside?: number } {
    const random = this.#random;
    const number = (this.#lives += 1);
    if (isFirst) return { life: { step: PLACES[number % PLACES.length] ?? '' } };
    if (number % 8 === 7) return { life: {}, outside: random.int(150, 1500) };
    const times = (step: string): number => kills.filter((kill) => kill === step).length;
    const least = Math.min(...STEPS.map(times));
    const step = random.pick(STEPS.filter((each) => times(each) === least));
    if (step.startsWith('close')) return { life: { step, stopAfter: random.int(1, 3) } };
    return { life: { step, nth: least === 0 ? 1 : random.int(1, 3), most: least === 0 ? 20 : 8 } };
  }
}
