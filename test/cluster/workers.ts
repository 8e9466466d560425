/** Nodes that work as processes, and a conductor in the test's own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dispatch, type DispatchOptions } from '../../src/cluster/dispatch.ts';
import { createQueue, type Queue } from '../../src/cluster/queue.ts';
import { systemClock } from '../../src/engine/clock.ts';
import type { AttemptHandle, AttemptReport, AttemptSpec } from '../../src/engine/ports.ts';
import type { Outcome } from '../../src/model.ts';
import { openDatabase, type Database } from '../../src/postgres/database.ts';
import { PATIENCE } from '../support/patience.ts';
import { BLANK, later, shell, temporaryDirectory, until } from '../tasks/harness.ts';

export interface WorkerSettings {
  readonly url: string;
  readonly name: string;
  /** Where its state is; default a new one. */
  readonly directory: string;
  readonly slots?: number;
  readonly labels?: readonly string[];
  readonly silence?: number;
  readonly drain?: number;
  /** Its attempts are nothing but reports. */
  readonly imagined?: boolean;
}

interface Said {
  readonly ready?: true;
  readonly drained?: true;
  readonly left?: true;
  readonly refused?: string;
  readonly message?: string;
  readonly ended?: string;
  readonly trouble?: string;
  readonly busy?: number;
  readonly lacks?: readonly string[];
}

export class Worker {
  readonly id: string;
  readonly settings: WorkerSettings;
  readonly said: Said[] = [];
  readonly child: ChildProcess;
  #errors = '';
  #rest = '';

  constructor(
    settings: Omit<WorkerSettings, 'directory'> & { directory?: string },
    id: string = randomUUID(),
  ) {
    this.id = id;
    this.settings = { ...settings, directory: settings.directory ?? temporaryDirectory() };
    const program = [join(import.meta.dirname, 'work-process.ts'), JSON.stringify({ ...this.settings, id })];
    this.child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (piece: Buffer) => (this.#errors += piece.toString()));
    this.child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      const lines = (this.#rest + piece).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.said.push(JSON.parse(line) as Said);
    });
    later(() => this.kill());
  }

  async says(what: keyof Said, is: (said: Said) => boolean = () => true): Promise<Said> {
    return until(`${this.settings.name} to say ${what}: ${this.#errors}`, () => {
      if (this.#errors.includes('Error')) throw new Error(this.#errors);
      return this.said.find((said) => said[what] !== undefined && is(said));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  /** The same node again: its id and its directory. */
  again(): Worker {
    return new Worker(this.settings, this.id);
  }
}

export interface Sent {
  readonly spec: AttemptSpec;
  readonly handle: AttemptHandle;
  readonly reports: AttemptReport[];
  readonly started: Promise<Extract<AttemptReport, { kind: 'started' }>>;
  readonly outcome: Promise<Outcome>;
}

/** A conductor that does what the test says. */
export class Conductor {
  readonly database: Database;
  readonly queue: Queue;
  readonly url: string;
  readonly deposed: number[] = [];
  readonly troubles: string[] = [];
  dispatch: Dispatch;
  term = 0;
  readonly #options: Partial<DispatchOptions>;
  #count = 0;

  private constructor(url: string, database: Database, queue: Queue, options: Partial<DispatchOptions>) {
    this.url = url;
    this.database = database;
    this.queue = queue;
    this.#options = options;
    this.dispatch = this.#next();
  }

  static async over(url: string, options: Partial<DispatchOptions> = {}): Promise<Conductor> {
    const database = await openDatabase({ url, clock: systemClock });
    const queue = await createQueue({ database, clock: systemClock });
    await database.run('UPDATE conductor SET term = 1');
    const conductor = new Conductor(url, database, queue, options);
    later(async () => {
      await conductor.dispatch.close();
      await queue.close();
      await database.close();
    });
    return conductor;
  }

  #next(): Dispatch {
    this.term += 1;
    const { term } = this;
    return new Dispatch({
      database: this.database,
      queue: this.queue,
      clock: systemClock,
      term,
      contactFor: () => Infinity,
      onDeposed: () => this.deposed.push(term),
      onTrouble: (message) => this.troubles.push(message),
      ...this.#options,
    });
  }

  /** Another conductor in the place of this one, which goes on believing that it is. */
  async takeOver(): Promise<Dispatch> {
    const old = this.dispatch;
    await this.database.run('UPDATE conductor SET term = term + 1');
    this.dispatch = this.#next();
    later(() => old.close());
    return old;
  }

  worker(name: string, settings: Partial<WorkerSettings> = {}): Worker {
    return new Worker({ url: this.url, name, ...settings });
  }

  async workers(names: readonly string[], settings: Partial<WorkerSettings> = {}): Promise<Worker[]> {
    const workers = names.map((name) => this.worker(name, settings));
    await Promise.all(workers.map((worker) => worker.says('ready')));
    return workers;
  }

  start(spec: Partial<AttemptSpec>, dispatch: Dispatch = this.dispatch): Sent {
    this.#count += 1;
    const whole: AttemptSpec = {
      ...BLANK,
      jobId: `job-${this.#count}`,
      runId: `run-${this.#count}`,
      forSlot: true,
      ...spec,
    };
    return follow(whole, (report) => dispatch.start(whole, report));
  }

  /** Waits until all have ended, and says how things stand if they do not. */
  async outcomes(sent: readonly Sent[]): Promise<Outcome[]> {
    const isOpen = ({ reports }: Sent): boolean => reports.at(-1)?.kind !== 'ended';
    const told = async (): Promise<unknown[]> => [
      sent.filter(isOpen).map(({ spec, reports }) => [spec.jobId, reports]),
      this.troubles,
      await this.database.query('SELECT kind, taken, count(*) FROM reports GROUP BY 1, 2'),
      await this.database.query('SELECT * FROM held'),
      await this.database.query(`SELECT state, count(*) FROM ${this.queue.table} GROUP BY 1`),
    ];
    for (let tries = 0; sent.some(isOpen); tries += 1) {
      if (tries === PATIENCE / 10) throw new Error(`not ended: ${JSON.stringify(await told())}`);
      await new Promise<void>((resolve) => void systemClock.after(10, resolve));
    }
    return Promise.all(sent.map(({ outcome }) => outcome));
  }

  /** Waits until there is no such row. */
  async gone(table: string, where: string): Promise<void> {
    for (let tries = 0; (await this.count(table, where)) > 0; tries += 1) {
      if (tries === PATIENCE / 10)
        throw new Error(`still in ${table}: ${where}; ${this.troubles.join(', ')}`);
      await new Promise<void>((resolve) => void systemClock.after(10, resolve));
    }
  }

  async count(table: string, where = 'true'): Promise<number> {
    const [row] = await this.database.query<{ n: number }>(
      `SELECT count(*) AS n FROM ${table} WHERE ${where}`,
    );
    return row?.n ?? 0;
  }
}

export function follow(
  spec: AttemptSpec,
  begin: (report: (report: AttemptReport) => void) => AttemptHandle,
): Sent {
  const reports: AttemptReport[] = [];
  const started = Promise.withResolvers<Extract<AttemptReport, { kind: 'started' }>>();
  const ended = Promise.withResolvers<Outcome>();
  const handle = begin((report) => {
    reports.push(report);
    if (report.kind === 'started') started.resolve(report);
    else ended.resolve(report.outcome);
  });
  return { spec, handle, reports, started: started.promise, outcome: ended.promise };
}

/** Of a file that may not be there yet. */
export const lines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];

/** A shell attempt that says its process id, and goes on until a file is there. */
export function waiting(more: Partial<AttemptSpec> = {}): {
  readonly spec: Partial<AttemptSpec>;
  readonly pid: () => Promise<number>;
  readonly release: () => void;
  readonly begun: () => number;
} {
  const directory = temporaryDirectory();
  const [account, gate] = [join(directory, 'account'), join(directory, 'gate')];
  return {
    spec: shell(`echo $$ >> ${account}; while [ ! -e ${gate} ]; do sleep 0.05; done`, more),
    pid: async () => Number(await until('the attempt to begin', () => lines(account)[0])),
    release: () => writeFileSync(gate, ''),
    begun: () => lines(account).length,
  };
}
