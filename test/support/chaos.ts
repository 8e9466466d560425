/** Households in which daemons are killed again and again, and the account of what became of every slot. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { loadJobFile } from '../../src/config/load.ts';
import type { JobDefinition, RunRecord, SkipRecord } from '../../src/model.ts';
import { compileSchedule } from '../../src/schedule/trigger.ts';
import { Reader } from '../../src/store/sqlite/reader.ts';
import { openToRead } from '../../src/store/sqlite/open.ts';
import type { Life } from '../fixtures/programs/chaos-daemon.ts';
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
function shellTask(account: string, middle: string, code = '0'): string {
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
    process: { every: '4s', ...module },
    thread: { every: '3s', ...module, isolation: 'thread' },
    ...Object.fromEntries([1, 3, 6, 10, 15, 25, 40].map((at) => [`once-${at}`, once(at)])),
  };
}

interface Execution {
  readonly jobId: string;
  readonly slot: number;
  readonly run: string;
  readonly attempt: number;
  /** Exit code, once it has ended. */
  ended?: number;
}

/** One state directory, and the daemons that live and die in it, one after another. */
export class Household {
  readonly directory: string;
  readonly #program: string;
  readonly #account: string;
  readonly #jobs: Record<string, object>;
  #pid: number | undefined;
  #words = '';

  constructor(directory: string, program: string) {
    this.directory = directory;
    this.#program = program;
    this.#account = join(directory, 'account');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'task.mjs'), MODULE);
    this.#jobs = jobsOf(this.#account, Date.now());
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
    await until('a life to end', () => ended, { told, patience: 60_000 });
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
    await until('every job to be decided over', () => lag().length === 0, { told, patience: 120_000 });
    this.stop();
    await last;
    const places = this.#reading((reader) => reader.places());
    const rest = Object.entries(this.#jobs).map(([id, job]) => [id, { ...job, enabled: false }] as const);
    this.#write(Object.fromEntries(rest));
    const over = this.live({});
    await until('all runs to be over', () => this.#reading((reader) => reader.figures().active === 0), {
      told: () => ` in ${this.directory}: ${this.#words}`,
    });
    this.stop();
    await over;
    return places;
  }

  /** Everything that is not as promised, each in a line that tells where. */
  async audit(places: ReturnType<Reader['places']>): Promise<string[]> {
    this.#write(this.#jobs);
    const definitions = await this.#definitions();
    const { runs, skips } = this.#reading((reader) => {
      const rows = reader.rows({ limit: 1_000_000 });
      return {
        runs: rows.flatMap((row) => ('run' in row ? [row.run] : [])),
        skips: rows.flatMap((row) => ('skip' in row ? [row.skip] : [])),
      };
    });
    const audit = new Audit(runs, skips, executionsIn(this.#account));
    const begun = new Map(
      linesOf(join(this.directory, 'places')).map((line) => line.split(' ') as [string, string]),
    );
    for (const definition of definitions) {
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

class Audit {
  readonly findings: string[] = [];
  readonly #runs: readonly RunRecord[];
  readonly #skips: readonly SkipRecord[];
  readonly #executions: readonly Execution[];

  constructor(runs: readonly RunRecord[], skips: readonly SkipRecord[], executions: readonly Execution[]) {
    this.#runs = runs;
    this.#skips = skips;
    this.#executions = executions;
  }

  say(finding: string): void {
    this.findings.push(finding);
  }

  /** Every slot in (from, to] has one run or one skip. */
  slots({ id, schedule }: JobDefinition, { from, to }: { from: number; to: number }): void {
    const rows = new Map<number, string[]>();
    const note = (slot: number, what: string): void => void rows.set(slot, [...(rows.get(slot) ?? []), what]);
    const trigger = compileSchedule(schedule, id);
    const due: number[] = [];
    for (let slot = trigger.next(from); slot !== undefined && slot <= to; slot = trigger.next(slot))
      due.push(slot);
    for (const { jobId, scheduledAt, id: run } of this.#runs)
      if (jobId === id) note(scheduledAt, `run ${run}`);
    for (const { jobId, scheduledAt, through, reason, count = 0 } of this.#skips) {
      if (jobId !== id) continue;
      const slots = due.filter((slot) => scheduledAt <= slot && slot <= through);
      for (const slot of slots) note(slot, `skip ${reason}`);
      if (slots.length !== count && through <= to)
        this.say(`${id} ${iso(scheduledAt)}–${iso(through)}: ${slots.length} slots, said to be ${count}`);
    }
    for (const slot of due) {
      const found = rows.get(slot) ?? [];
      if (found.length !== 1) this.say(`${id} ${iso(slot)}: ${found.join(', ') || 'nothing became of it'}`);
    }
  }

  /** Every run has ended as its own account says, and was executed as often as its attempts say. */
  runs(definitions: ReadonlyMap<string, JobDefinition>): void {
    const known = new Map(this.#runs.map((run) => [run.id, run]));
    const seen = new Set<string>();
    for (const { run: id, attempt, jobId, slot } of this.#executions) {
      const key = `${jobId} ${iso(slot)} ${id} attempt ${attempt}`;
      if (seen.has(key)) this.say(`${key}: executed twice`);
      seen.add(key);
      const recorded = known.get(id)?.attempts.find(({ number }) => number === attempt);
      if (recorded === undefined) this.say(`${key}: executed, but not in the history`);
    }
    for (const run of this.#runs) this.#run(run, definitions.get(run.jobId)?.policy.retry.limit ?? 0);
  }

  #run(run: RunRecord, limit: number): void {
    const name = `${run.jobId} ${iso(run.scheduledAt)} ${run.id}`;
    if (run.state !== 'finished' || run.outcome === undefined) return this.say(`${name}: ${run.state}`);
    const last = run.attempts.at(-1)?.outcome;
    if (run.outcome.kind !== 'cancelled' && last?.kind !== run.outcome.kind)
      this.say(`${name}: ${run.outcome.kind}, its last attempt ${last?.kind}`);
    const begun = run.attempts.filter(({ duration }) => duration !== undefined);
    if (begun.length > limit + 1) this.say(`${name}: ${begun.length} attempts`);
    for (const [index, { number, outcome }] of run.attempts.entries()) {
      const execution = this.#executions.find((each) => each.run === run.id && each.attempt === number);
      const what = `${name} attempt ${number}: ${JSON.stringify(outcome)}, by its own account ${JSON.stringify(execution)}`;
      const isFair = agrees(outcome, execution) && (run.jobId === 'thread' || outcome?.kind !== 'lost');
      if (!isFair) this.say(what);
      if (outcome?.kind === 'succeeded' && index < run.attempts.length - 1)
        this.say(`${what}, and tried again`);
    }
  }
}

function agrees(outcome: RunRecord['outcome'], execution: Execution | undefined): boolean {
  switch (outcome?.kind) {
    case 'succeeded':
      return execution?.ended === 0;
    case 'failed':
      return execution?.ended === outcome.exitCode;
    case 'not_started':
      return execution === undefined;
    case 'lost':
    case 'cancelled':
      return true;
    // A process kept ready that died with its daemon, before it had begun.
    case 'threw':
      return execution === undefined;
    case 'killed':
    case 'timed_out':
    case undefined:
      return false;
  }
}

function executionsIn(path: string): Execution[] {
  const found = new Map<string, Execution>();
  const twice: Execution[] = [];
  for (const line of linesOf(path)) {
    const [jobId = '', slot = '', run = '', attempt = '', what, code] = line.split(' ');
    const key = `${run} ${attempt}`;
    const known = found.get(key);
    if (what === 'end' && known !== undefined) known.ended = Number(code);
    const execution = { jobId, slot: Date.parse(slot), run, attempt: Number(attempt) };
    if (what !== 'begin') continue;
    if (known === undefined) found.set(key, execution);
    else twice.push(execution);
  }
  return [...found.values(), ...twice];
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

function iso(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
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
