/** What a reload does to jobs that run while they are changed, renamed, removed and brought back (F83 to F85). */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import {
  applied,
  doneBy,
  expectEverySecond,
  expectNothingLostNorTwice,
  moreOf,
  rename,
  skippedOf,
  ticking,
  type Ticking,
} from './support.ts';
import type { Later } from '../../support/daemon.ts';

/** A job that keeps account and then runs until a file `go` appears; `word` tells one text of its command from another. */
function held({ kept, directory }: Pick<Ticking, 'kept' | 'directory'>, word: string): string {
  const wait = `until [ -e ${join(directory, 'go')} ]; do sleep 0.02; done`;
  return `${kept.line(`${word} began`)}; ${wait}; ${kept.line(`${word} ended`)}`;
}

interface Held extends Ticking {
  /** The job file with `tick` and this text for the job `held`. */
  readonly with: (job: string) => string;
  /** What executions of `held` wrote, in order. */
  readonly words: () => string[];
  readonly letGo: () => void;
}

/** Starts a daemon with `tick` and a job `held` that is running and stays so until it is let go. */
async function holding(later: Later, keys = ''): Promise<Held> {
  const started = await ticking({ later });
  const { daemon, kept, directory, file } = started;
  const all: Held = {
    ...started,
    with: (job) => `${file('tick')}${job}`,
    words: () => kept.executions('held').map(({ more }) => more),
    letGo: () => writeFileSync(join(directory, 'go'), ''),
  };
  rename(
    daemon.file,
    all.with(`  held:\n    run: ${held(started, 'old')}\n    cron: "* * * * * *"\n${keys}`),
  );
  await daemon.until('the held job to run', () => all.words().includes('old began'));
  return all;
}

/** The daemon took over a set in which `held` was changed, while it ran. */
async function changedWhileRunning({ daemon, words }: Held): Promise<void> {
  await daemon.waitFor(
    'the change',
    ({ event, changed }) => event === 'jobs_applied' && (changed as string[]).includes('held'),
  );
  if (words().some((word) => word.endsWith('ended'))) throw new Error('it ended before it was changed');
}

describe.concurrent('a job that runs while its definition', () => {
  it('is removed: it finishes, and that was the last of it (F83)', async ({ expect, onTestFinished }) => {
    const all = await holding(onTestFinished);
    const { daemon } = all;
    rename(daemon.file, all.file('tick'));
    await daemon.waitFor(
      'the removal',
      ({ event, removed }) => event === 'jobs_applied' && (removed as string[]).includes('held'),
    );
    expect(all.words()).toEqual(['old began']);
    await moreOf(all, 'tick', 1);
    all.letGo();
    const finished = await daemon.waitFor(
      'its end',
      ({ event, job }) => event === 'run_finished' && job === 'held',
    );
    expect(finished['outcome']).toBe('succeeded');
    await moreOf(all, 'tick', 2);
    expect(all.words()).toEqual(['old began', 'old ended']);
    await expectNothingLostNorTwice(all);
  });

  it('gets another command: the run goes on as it began, the next slot has the new one (F84)', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await holding(onTestFinished);
    const { daemon, kept } = all;
    rename(daemon.file, all.with(`  held:\n    run: ${kept.line('new')}\n    cron: "* * * * * *"\n`));
    await changedWhileRunning(all);
    await daemon.waitFor(
      'a slot that was skipped',
      ({ event, job, reason }) => event === 'slots_skipped' && job === 'held' && reason === 'overlap',
    );
    all.letGo();
    await daemon.until('the new command', () => all.words().includes('new'));
    const done = await doneBy(all, 'held');
    expect(all.words().slice(0, 3)).toEqual(['old began', 'old ended', 'new']);
    // What fell due while it ran was skipped, not forgotten: the change moved no slot. (A machine that stands still makes a misfire of some.)
    const reasons = daemon.events('slots_skipped', 'held').map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason !== 'overlap' && reason !== 'misfire')).toEqual([]);
    expect(reasons).toContain('overlap');
    const [began = Number.NaN, ended, ...later] = done.map(({ slot }) => Date.parse(slot));
    expect(began).toBe(ended);
    const skipped = skippedOf(daemon, 'held').filter((slot) => slot < Math.max(...later));
    expectEverySecond([began, ...skipped, ...later]);
  });

  it('gets another schedule and zone: the run goes on, nothing is caught up (F84)', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await holding(onTestFinished);
    const { daemon } = all;
    // By the new text a slot passed half an hour ago, in either zone; it never existed.
    const passed = new Date(Date.now() - 30 * 60_000);
    const cron = `"${passed.getUTCMinutes()} ${passed.getUTCHours()} * * *"`;
    const job = `  held:\n    run: ${held(all, 'new')}\n`;
    rename(daemon.file, all.with(`${job}    cron: ${cron}\n`));
    await changedWhileRunning(all);
    rename(daemon.file, all.with(`${job}    cron: ${cron}\n    timezone: Africa/Abidjan\n`));
    await daemon.until('the other zone', () => daemon.events('jobs_applied').length >= 3);
    const skips = daemon.events('slots_skipped', 'held').length;
    all.letGo();
    await daemon.waitFor('its end', ({ event, job }) => event === 'run_finished' && job === 'held');
    await moreOf(all, 'tick', 2);
    expect(all.words()).toEqual(['old began', 'old ended']);
    expect(daemon.events('slots_skipped', 'held')).toHaveLength(skips);
  });

  it('gets another overlap policy: the next slot is decided by it (F84)', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await holding(onTestFinished);
    const { daemon, kept, directory } = all;
    await daemon.waitFor(
      'a slot that was skipped',
      ({ event, job, reason }) => event === 'slots_skipped' && job === 'held' && reason === 'overlap',
    );
    const overlap = '    overlap: allow\n    max_instances: 2\n';
    rename(
      daemon.file,
      all.with(`  held:\n    run: ${held(all, 'old')}\n    cron: "* * * * * *"\n${overlap}`),
    );
    await daemon.until('a second one beside it', () => all.words().length === 2);
    expect(existsSync(join(directory, 'go'))).toBe(false);
    expect(all.words()).toEqual(['old began', 'old began']);
    all.letGo();
    const [first, second] = kept.executions('held').map(({ run }) => run);
    await daemon.until('the end of both', () =>
      [first, second].every((run) => daemon.events('run_finished', 'held').some((line) => line.run === run)),
    );
  });
});

describe.concurrent('a job that', () => {
  it('is renamed begins as another: no slot of the old one is run or caught up by it (F85)', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await ticking({ later: onTestFinished });
    const { daemon, kept } = all;
    rename(daemon.file, all.file('tick', 'before'));
    await moreOf(all, 'before', 2);
    const asked = Date.now();
    rename(daemon.file, all.file('tick', 'after'));
    await applied(daemon, 'after');
    await moreOf(all, 'after', 2);
    const last =
      kept
        .executions('before')
        .map(({ slot }) => slot)
        .sort()
        .at(-1) ?? '';
    const first =
      kept
        .executions('after')
        .map(({ slot }) => slot)
        .sort()[0] ?? '';
    expect(first > last, `${first} after ${last}`).toBe(true);
    expect(Date.parse(first)).toBeGreaterThan(asked);
    for (const job of ['tick', 'before', 'after']) await expectNothingLostNorTwice(all, job);
    // On a machine that stands still it may skip slots, but none that it did not have.
    expect(skippedOf(daemon, 'after').filter((slot) => slot <= asked)).toEqual([]);
  });

  it('comes back does not catch up what passed while it was away (F85)', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await ticking({ later: onTestFinished });
    const { daemon, kept } = all;
    const misfire = '    misfire: { run: all }\n';
    rename(daemon.file, `${all.file('tick', 'guest')}${misfire}`);
    await moreOf(all, 'guest', 1);
    rename(daemon.file, all.file('tick'));
    const left = await daemon.waitFor(
      'its leave',
      ({ event, removed }) => event === 'jobs_applied' && (removed as string[]).includes('guest'),
    );
    const stayed = kept.executions('guest').length;
    const gone = Date.parse(left.time);
    const missed = gone + 2000;
    await daemon.until('slots that it misses', () =>
      kept.executions('tick').some(({ slot }) => Date.parse(slot) > missed),
    );
    const asked = Date.now();
    rename(daemon.file, `${all.file('tick', 'guest')}${misfire}`);
    await daemon.until('its return', () =>
      daemon
        .events('jobs_applied')
        .find(({ time, added }) => time > left.time && (added as string[]).includes('guest')),
    );
    await moreOf(all, 'guest', 2);
    const since = kept
      .executions('guest')
      .slice(stayed)
      .map(({ slot }) => Date.parse(slot));
    expect(Math.min(...since)).toBeGreaterThan(asked);
    const away = skippedOf(daemon, 'guest').filter((slot) => gone < slot && slot <= asked);
    expect(away).toEqual([]);
  });

  it('has not changed keeps the phase of its interval while others come and go', async ({
    expect,
    onTestFinished,
  }) => {
    const all = await ticking({ later: onTestFinished });
    const { daemon, kept } = all;
    // However busy the machine is: a slot that is late, or whose turn comes while another still runs, is not to be lost.
    const policy = '    misfire: { run: all, grace: 1h }\n    overlap: allow\n    max_instances: 50\n';
    const every = `  steady:\n    run: ${kept.line()}\n    every: 1500ms\n${policy}`;
    rename(daemon.file, `${all.file('tick')}${every}`);
    await moreOf(all, 'steady', 1);
    for (const other of ['one', 'two']) {
      rename(daemon.file, `# ${other}\n${all.file(other, 'tick')}${every}`);
      await applied(daemon, other);
      await moreOf(all, 'steady', 1);
    }
    const ran = () => kept.executions('steady').map(({ slot }) => Date.parse(slot));
    const [first, last] = [Math.min(...ran()), Math.max(...ran())];
    const expected = Array.from({ length: (last - first) / 1500 + 1 }, (_, n) => first + n * 1500);
    // The last may have been quicker than one before it.
    await daemon.until('all up to it', () => expected.every((slot) => ran().includes(slot)));
    const slots = ran().filter((slot) => slot <= last);
    expect(slots.toSorted((a, b) => a - b)).toEqual(expected);
  });
});
