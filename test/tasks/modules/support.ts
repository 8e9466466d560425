import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { systemClock } from '../../../src/engine/clock.ts';
import type {
  AttemptHandle,
  AttemptReport,
  AttemptSpec,
  Executor,
  StopReason,
} from '../../../src/engine/ports.ts';
import type { Json, Outcome, Surroundings } from '../../../src/model.ts';
import { createExecutor } from '../../../src/tasks/executor.ts';
import { PATIENCE } from '../../support/patience.ts';

export const fixtures = join(import.meta.dirname, '../../fixtures/modules');

export type Isolation = 'process' | 'thread';

export const timedOut: StopReason = { kind: 'timed_out', after: 1000 };
export const cancelled: StopReason = { kind: 'cancelled', by: 'operator' };

export interface ModuleRun {
  /** A fixture's file name, or an absolute path. */
  readonly file?: string;
  readonly exportName?: string;
  readonly isolation?: Isolation;
  readonly with?: Json;
  readonly surroundings?: Partial<Surroundings>;
  readonly spec?: Partial<AttemptSpec>;
}

export interface Started {
  readonly handle: AttemptHandle;
  readonly spec: AttemptSpec;
  readonly reports: readonly AttemptReport[];
  readonly ended: Promise<Outcome>;
  readonly directory: string;
  log(): string;
  /** Waits until the output holds `text`. */
  says(text: string): Promise<void>;
}

let runs = 0;

/** An executor with a directory of its own for the tests of a file; closed after them. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsched-modules-'));
  readonly runsDirectory = join(this.directory, 'runs');
  readonly environment: Record<string, string>;
  executor: Executor;

  constructor(environment: Record<string, string> = {}) {
    this.environment = { PATH: process.env['PATH'] ?? '', ...environment };
    mkdirSync(this.runsDirectory, { mode: 0o700 });
    this.executor = this.create();
  }

  create(): Executor {
    return createExecutor({
      runsDirectory: this.runsDirectory,
      clock: systemClock,
      nodePath: process.execPath,
      inheritedEnvironment: this.environment,
      output: 'file',
    });
  }

  start(run: ModuleRun): Started {
    const spec = this.spec(run);
    const directory = join(this.runsDirectory, spec.runId);
    const file = join(directory, `attempt-${spec.attempt}.log`);
    const reports: AttemptReport[] = [];
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const handle = this.executor.start(spec, (report) => {
      reports.push(report);
      if (report.kind === 'ended') resolve(report.outcome);
    });
    const log = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    const says = (text: string): Promise<void> =>
      vi.waitFor(() => expect(log()).toContain(text), { timeout: PATIENCE, interval: 5 });
    return { handle, spec, reports, ended: promise, directory, log, says };
  }

  async run(run: ModuleRun): Promise<Outcome> {
    return this.start(run).ended;
  }

  spec({
    file = 'abuses.ts',
    exportName = 'default',
    isolation = 'process',
    ...rest
  }: ModuleRun): AttemptSpec {
    return {
      runId: `run-${++runs}`,
      jobId: 'fixture',
      attempt: 1,
      scheduledAt: Date.UTC(2026, 9, 25, 1, 30),
      cause: 'schedule',
      task: {
        kind: 'module',
        path: join(file.startsWith('/') ? '' : fixtures, file),
        exportName,
        isolation,
        with: rest.with ?? null,
      },
      surroundings: { cwd: this.directory, env: {}, inheritEnv: true, limits: {}, ...rest.surroundings },
      output: { maxSize: 64 * 2 ** 20, keep: 10, log: 'none' },
      successExitCodes: [0],
      killSignal: 'SIGTERM',
      killAfter: 10_000,
      ...rest.spec,
    };
  }

  async close(): Promise<void> {
    await this.executor.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function useBench(environment?: Record<string, string>): { readonly bench: Bench } {
  const holder: { bench: Bench } = { bench: undefined as unknown as Bench };
  beforeAll(() => {
    holder.bench = new Bench(environment);
  });
  afterAll(() => holder.bench.close());
  return holder;
}

/** What the same call does to a bare Node: the proof that a fixture has the fault it is meant to have. */
export function bare(
  file: string,
  exportName = 'default',
  flags: readonly string[] = [],
): { status: number | null; signal: string | null; stderr: string } {
  const call = `import(${JSON.stringify(join(fixtures, file))}).then((m) => m[${JSON.stringify(exportName)}]({ with: null }))`;
  const { status, signal, stderr } = spawnSync(process.execPath, [...flags, '--eval', call], {
    encoding: 'utf8',
    timeout: PATIENCE,
  });
  return { status, signal, stderr };
}

/** The processes whose working directory is `directory` or below. */
export function processesIn(directory: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`);
      } catch {
        return false; // gone, or another's
      }
    });
}
