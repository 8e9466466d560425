/** A daemon whose job of every second keeps account while its file is edited. */
import { renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  account,
  directory,
  startDaemon,
  type Account,
  type Daemon,
  type DaemonOptions,
  type Execution,
  type Later,
  type Line,
} from '../../support/daemon.ts';

export interface Ticking {
  readonly daemon: Daemon;
  readonly kept: Account;
  readonly directory: string;
  /** A job file of jobs that each run every second and keep account. */
  readonly file: (...ids: string[]) => string;
}

/** How the first job file comes to lie in the daemon's directory. By default it is simply written. */
export type Lay = (directory: string) => void;

export interface TickingOptions extends Partial<Pick<DaemonOptions, 'args' | 'jobs' | 'env'>> {
  readonly later?: Later;
  readonly lay?: Lay;
}

/** Starts it with one job, `tick`, unless told otherwise; ready once that has run. */
export async function ticking({
  later = onTestFinished,
  lay,
  ...rest
}: TickingOptions = {}): Promise<Ticking> {
  const where = directory(later);
  const kept = account(join(where, 'account'));
  const file = (...ids: string[]): string => jobFile(kept, ids);
  lay?.(where);
  const daemon = startDaemon({ directory: where, jobs: file('tick'), later, ...rest });
  await daemon.ready();
  const started = { daemon, kept, directory: where, file };
  await moreOf(started, 'tick', 1);
  return started;
}

/** `run` comes first: what is cut off after it has no trigger, or an open quote, and is refused. */
export function jobFile(kept: Account, ids: readonly string[]): string {
  const jobs = ids.map((id) => `  ${id}:\n    run: ${kept.line()}\n    cron: "* * * * * *"\n`);
  return `jobs:\n${jobs.join('')}`;
}

/** Waits until a job has run so many times more. */
export async function moreOf({ daemon, kept }: Pick<Ticking, 'daemon' | 'kept'>, job: string, count: number) {
  const before = kept.executions(job).length;
  await daemon.until(`${count} more runs of ${job}`, () => kept.executions(job).length >= before + count);
}

/** Waits until a new set was put in place that has this job. */
export function applied(daemon: Daemon, job: string): Promise<Line> {
  return daemon.waitFor(
    `${job} to be applied`,
    ({ event, added, changed }) =>
      event === 'jobs_applied' && [added, changed].some((ids) => (ids as string[]).includes(job)),
  );
}

/** What a job has done by now; by then all that the daemon says of slots before the last of them has been read. */
export async function doneBy(
  { daemon, kept }: Pick<Ticking, 'daemon' | 'kept'>,
  job: string,
): Promise<Execution[]> {
  const done = kept.executions(job);
  const last = done.at(-1)?.run;
  await daemon.waitFor(
    `the end of ${job} ${last}`,
    ({ event, run }) => event === 'run_finished' && run === last,
  );
  return done;
}

/** Each slot that was skipped of a job of every second. */
export function skippedOf(daemon: Daemon, job: string): number[] {
  return daemon.events('slots_skipped', job).flatMap(({ slot, through = slot }) => {
    const from = Date.parse(String(slot));
    return Array.from({ length: (Date.parse(String(through)) - from) / 1000 + 1 }, (_, n) => from + n * 1000);
  });
}

/** Every second from the job's first run to its last has exactly one run, or a recorded reason why not. */
export async function expectNothingLostNorTwice(ticking: Ticking, job = 'tick'): Promise<void> {
  const { daemon } = ticking;
  const run = (await doneBy(ticking, job)).map(({ slot }) => Date.parse(slot));
  expect(new Set(run).size, 'slots that ran, each once').toBe(run.length);
  const skipped = skippedOf(daemon, job);
  expect(
    skipped.filter((slot) => run.includes(slot)),
    'slots that ran and were skipped',
  ).toEqual([]);
  const first = Math.min(...run);
  const all = [...run, ...skipped].filter((slot) => slot >= first && slot <= Math.max(...run));
  expectEverySecond(all);
}

/** These slots, in whatever order, are consecutive seconds. */
export function expectEverySecond(slots: readonly number[]): void {
  const first = Math.min(...slots);
  expect(slots.toSorted((a, b) => a - b)).toEqual(slots.map((_, n) => first + n * 1000));
}

/** Records at level error or above. */
export function errors(daemon: Daemon): Line[] {
  return daemon.lines.filter(({ level }) => level === 'error' || level === 'crit');
}

/** As editors and Ansible do it. */
export function rename(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** `ln -sfn`, which is not one step. */
export function retarget(link: string, target: string): void {
  unlinkSync(link);
  symlinkSync(target, link);
}

/** `mv -T` of a new link over the old. */
export function swap(link: string, target: string): void {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}
