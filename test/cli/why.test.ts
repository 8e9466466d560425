import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadJobFile } from '../../src/config/load.ts';
import type { JobId, Place } from '../../src/model.ts';
import { fingerprint } from '../../src/schedule/fingerprint.ts';
import { takeLock } from '../../src/store/lock.ts';
import { statePaths } from '../../src/store/state-directory.ts';
import { ask, socketOf, startAsked } from '../http/support.ts';
import { going, ran, skipped, stateWith, type Past } from './past.ts';
import { project, tsched } from './tsched.ts';

const jobs = `
timezone: Europe/Berlin
jobs:
  nightly: { cron: "30 2 * * *", run: x }
  patient: { cron: "30 2 * * *", run: x, misfire: { run: none } }
  off: { cron: "30 2 * * *", run: x, enabled: false }
  spread: { cron: "0 13 * * *", run: x, jitter: 2h }
  boot: { startup: daemon, run: x }
  once: { at: 2030-01-01T00:00:00Z, run: x }
  weekly: { cron: "0 9 * * *", run: x, exclude: closed }
  rolled: { cron: "0 9 21 11 *", run: x, exclude: closed, roll: next }
calendars:
  closed: { dates: 2026-11-25, weekdays: [sat, sun], known_until: 2030-01-01 }
`;
/** 13:00 in Berlin. */
const at = '2026-11-23 12:00:00';
const last = '2026-11-23T01:30:00Z';

/** The places a daemon gives the jobs of the file: every slot up to `to` is decided. */
async function placed(cwd: string, to: string): Promise<[JobId, Place][]> {
  const environment = {};
  const loaded = await loadJobFile(join(cwd, 'jobs.yaml'), { environment, hostTimezone: 'UTC', now: 0 });
  if (!loaded.ok) throw new Error('a bad file');
  return loaded.file.jobs
    .filter(({ enabled }) => enabled)
    .map(({ id, schedule }) => [id, { schedule: fingerprint(schedule), from: Date.parse(to) }]);
}

interface Asked {
  readonly past?: Past;
  readonly to?: string;
  readonly file?: string;
  readonly at?: string;
}

/** What is said of it, with a history of its own. */
async function asked(
  args: readonly string[],
  { past = {}, to = last, file = jobs, at: now = at }: Asked = {},
) {
  const cwd = project(file);
  const state = stateWith({ placed: await placed(cwd, to), ...past });
  const { code, out, err } = tsched(['why', ...args, '--json', '--state-dir', state], { cwd, at: now });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const text = tsched(['why', ...args, '--state-dir', state], { cwd, at: now });
  expect(text.code).toBe(0);
  const answer = JSON.parse(out) as { readonly reason: string };
  return { ...answer, text: text.out };
}

describe('tsched why', () => {
  it('tells of the newest slot that has come, in the zone of the job', async () => {
    const answer = await asked(['nightly'], { past: { runs: [ran('nightly', last)] } });
    expect(answer).toMatchObject({
      jobId: 'nightly',
      slot: '2026-11-23T01:30:00Z',
      local: '2026-11-23T02:30:00+01:00',
      reason: 'on_time',
      lateMs: 12,
      run: { jobId: 'nightly', outcome: { kind: 'succeeded' } },
      skip: null,
      previousAt: '2026-11-22T01:30:00Z',
      nextAt: '2026-11-24T01:30:00Z',
    });
    expect(answer.text.replace(/run .*/, 'run'))
      .toBe(`nightly   Mon 2026-11-23 02:30:00 +01:00   Europe/Berlin   10h ago
  it ran on time (12ms after it was due)
  it succeeded after 1.5s
  run
  next  Tue 2026-11-24 02:30:00 +01:00   in 13h
`);
  });

  it('tells of a late run, one that was caught up, and one that goes on', async () => {
    const startedAt = Date.parse(last) + 182_000;
    const attempts = [
      { number: 1, startedAt, finishedAt: startedAt + 5, duration: 5, outcome: { kind: 'succeeded' } },
    ] as const;
    const late = await asked(['nightly'], { past: { runs: [ran('nightly', last, { attempts })] } });
    expect(late).toMatchObject({ reason: 'late', lateMs: 182_000 });
    expect(late.text).toContain('it ran late: it started 3m02s after it was due');
    const caught = await asked(['nightly'], {
      past: { runs: [ran('nightly', last, { attempts, cause: 'catch_up' })] },
    });
    expect(caught).toMatchObject({ reason: 'caught_up' });
    expect(caught.text).toContain(
      'only the newest of the missed slots that are no older than 1h (misfire: latest)',
    );
    const active = await asked(['nightly'], { past: { runs: [going('nightly', last)] } });
    expect(active.text).toContain('it has been running for 10h');
  });

  it.each([
    ['misfire', 'nightly', /missed by .*(?:misfire: latest).*\n.*misfire: \{ run: all \}/s],
    ['misfire', 'patient', /never runs missed slots \(misfire: none\)/],
    ['overlap', 'nightly', /the run before it was still active.*overlap: queue/s],
    ['limit', 'nightly', /max_instances/],
    ['paused', 'nightly', /was paused.*tsched resume/s],
    ['shutdown', 'nightly', /was stopping/],
    ['removed', 'nightly', /left the job file/],
    ['claimed_elsewhere', 'nightly', /had been claimed before/],
  ] as const)('tells why a slot was skipped: %s of %s', async (reason, id, words) => {
    const skip = skipped(id, '2026-11-20T01:30:00Z', {
      reason,
      through: Date.parse(last),
      count: 4,
      at: Date.parse(last) + 9,
    });
    const answer = await asked([id, '2026-11-21T02:30'], { past: { skips: [skip] } });
    expect(answer).toMatchObject({
      reason,
      run: null,
      skip: { reason, count: 4 },
      slot: '2026-11-21T01:30:00Z',
    });
    expect(answer.text).toMatch(words);
    expect(answer.text).toContain('  next  Tue 2026-11-24 02:30:00 +01:00   in 13h');
    expect(answer.text).toContain('one of 4 slots skipped together, from Fri 2026-11-20 02:30:00 +01:00');
  });

  it('tells what a run waits for that no node of a cluster has begun', async () => {
    const startedAt = Date.parse(last) + 5;
    const waiting = { number: 1, startedAt, awaits: ['eu', 'gpu'] };
    const run = going('nightly', last, { attempts: [waiting] });
    const { text } = await asked(['nightly'], { past: { runs: [run] } });
    expect(text).toContain('it was handed to the nodes on time (5ms after it was due)');
    expect(text).toMatch(/it has been waiting for a node with eu, gpu for .*; which there are: tsched nodes/);
  });

  it('names the calendar that excludes a slot, and what in it, before and after', async () => {
    const skip = skipped('weekly', '2026-11-21T08:00:00Z', {
      reason: 'excluded',
      through: Date.parse('2026-11-22T08:00:00Z'),
      count: 2,
      at: Date.parse(last),
    });
    const answer = await asked(['weekly', '2026-11-22T09:00'], { past: { skips: [skip] } });
    expect(answer).toMatchObject({ reason: 'excluded', skip: { count: 2 } });
    expect(answer.text).toMatch(/calendars exclude its day: closed excludes it \(Sunday\)\n.*roll: next/s);
    const untold = await asked(['weekly', '2026-11-22T09:00']);
    expect(untold).toMatchObject({ reason: 'excluded', skip: null });
    const ahead = await asked(['weekly', '2026-11-25T09:00']);
    expect(ahead).toMatchObject({ reason: 'excluded', nextAt: '2026-11-26T08:00:00Z' });
    expect(ahead.text).toContain(
      'it will not run: calendars exclude its day: closed excludes it (2026-11-25)',
    );
  });

  it('says where a slot moved to, and where one came from', async () => {
    const from = await asked(['rolled', '2026-11-21T09:00']);
    expect(from).toMatchObject({ reason: 'rolled' });
    expect(from.text).toContain('it moved to Mon 2026-11-23 09:00:00 +01:00: calendars exclude its day');
    const to = await asked(['rolled', '2026-11-23T09:00'], {
      past: { runs: [ran('rolled', '2026-11-23T08:00:00Z')] },
    });
    expect(to).toMatchObject({ reason: 'on_time' });
    expect(to.text).toContain('moved from 2026-11-21: closed excludes it (Saturday)');
  });

  it('knows what is no slot, and which are near', async () => {
    const answer = await asked(['nightly', '2026-11-23T02:31']);
    expect(answer).toMatchObject({
      reason: 'not_a_slot',
      previousAt: '2026-11-23T01:30:00Z',
      nextAt: '2026-11-24T01:30:00Z',
    });
    expect(answer.text).toMatch(
      /one before: Mon 2026-11-23 02:30:00 \+01:00\n.*one after: {2}Tue 2026-11-24 02:30:00 \+01:00/,
    );
  });

  it('knows what has not come, what rests, and what never comes', async () => {
    expect(await asked(['nightly', '2026-11-24T02:30'])).toMatchObject({
      reason: 'future',
      text: expect.stringContaining('no daemon is running') as string,
    });
    const pauses: Past['pauses'] = [['nightly', { since: 5 }]];
    expect(await asked(['nightly', '2026-11-24T02:30'], { past: { pauses } })).toMatchObject({
      reason: 'paused',
    });
    expect(await asked(['off'])).toMatchObject({
      reason: 'disabled',
      text: expect.stringContaining('enabled: false') as string,
    });
    expect(await asked(['spread'])).toMatchObject({
      reason: 'jitter',
      text: expect.stringContaining('by its jitter') as string,
    });
    expect(await asked(['boot'])).toMatchObject({ reason: 'no_schedule', slot: null });
    expect(await asked(['once'])).toMatchObject({
      reason: 'future',
      slot: null,
      nextAt: '2030-01-01T00:00:00Z',
    });
    const started = await asked(['boot'], { past: { runs: [ran('boot', '2026-11-23T11:00:00.123Z')] } });
    expect(started).toMatchObject({ reason: 'on_time', slot: '2026-11-23T11:00:00.123Z' });
  });

  it('tells of a slot without a run of its own what was replayed, or asked for, with its time', async () => {
    const of = async (change: Parameters<typeof ran>[2]) => {
      const run = ran('nightly', '2026-11-21T01:30:00Z', { claimedAt: Date.parse(last), ...change });
      return { run, said: await asked(['nightly', '2026-11-21T02:30'], { past: { runs: [run] } }) };
    };
    const late = Date.parse('2026-11-23T11:00:00Z');
    const attempts = [
      { number: 1, startedAt: late, finishedAt: late + 5, duration: 5, outcome: { kind: 'succeeded' } },
    ] as const;
    const { run, said } = await of({ cause: 'replay', replay: 'x', attempts });
    expect(said).toMatchObject({ run: { id: run.id, cause: 'replay' } });
    expect(said.text).toContain('  it ran afterwards, when its slot was replayed\n  it succeeded');
    const { said: byHand } = await of({ cause: 'manual', attempts });
    expect(byHand.text).toContain('  it ran when somebody asked for it\n  it succeeded');
  });

  it('knows why nothing is recorded', async () => {
    const reasonOf = async (what: Asked, ...args: readonly string[]): Promise<unknown> =>
      (await asked(['nightly', ...args], what)).reason;
    expect(await reasonOf({})).toBe('not_known_yet');
    expect(await reasonOf({ to: '2026-11-22T12:00:00Z' })).toBe('daemon_down');
    expect(await reasonOf({ past: { placed: [] } })).toBe('not_loaded');
    expect(await reasonOf({ past: { runs: [ran('nightly', '2026-11-20T01:30:00Z')] } })).toBe('unrecorded');
    const old = await asked(['nightly', '2026-06-01T02:30']);
    expect(old.reason).toBe('pruned');
    // Nobody knows whether there ever was something.
    expect(old.text).toContain('  nothing is recorded of it: history is kept for a while only');
    const other: Past['placed'] = [['nightly', { schedule: '{"timezone":"UTC","triggers":[]}', from: 5 }]];
    expect(await reasonOf({ past: { placed: other } })).toBe('schedule_changed');
  });

  it('knows what waits for its turn while a daemon runs', async () => {
    const cwd = project(jobs);
    const state = stateWith({ placed: await placed(cwd, '2026-11-22T12:00:00Z') });
    const lock = takeLock(statePaths(state).lock);
    const { out } = tsched(['why', 'nightly', '--json', '--state-dir', state], { cwd, at });
    lock?.release();
    expect(JSON.parse(out)).toMatchObject({ reason: 'waiting' });
  });

  it('answers by what the daemon knew where the job file is broken, and of jobs that left it', async () => {
    const cwd = project(jobs);
    const gone = ran('gone', last);
    const state = stateWith({ runs: [ran('nightly', last), gone], placed: await placed(cwd, last) });
    const left = tsched(['why', 'gone', '--json', '--state-dir', state], { cwd, at });
    expect(JSON.parse(left.out)).toMatchObject({ reason: 'on_time', run: { id: gone.id } });
    writeFileSync(join(cwd, 'jobs.yaml'), 'jobs: [');
    const { code, out, err } = tsched(['why', 'nightly', '--state-dir', state], { cwd, at });
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining('answering by what the newest daemon knew') as string,
    });
    expect(out).toContain('Mon 2026-11-23 02:30:00 +01:00   Europe/Berlin');
    const none = tsched(['why', 'bakup', '--state-dir', state], {
      cwd: project(jobs.replace('once', 'backup')),
      at,
    });
    expect(none).toMatchObject({
      code: 64,
      err: expect.stringContaining('did you mean "backup"?') as string,
    });
    const time = tsched(['why', 'nightly', 'noon', '--state-dir', state], { cwd: project(jobs) });
    expect(time).toMatchObject({
      code: 64,
      err: expect.stringContaining('the time: "noon" is not a time; write e.g.') as string,
    });
  });

  it('asks a real history: a run, and a slot skipped for the run before it', async () => {
    const daemon = await startAsked({ jobs: 'jobs:\n  a: { every: 1s, run: sleep 60 }\n' });
    const skip = await daemon.waitFor('a skip', ({ event }) => event === 'slots_skipped');
    const first = await daemon.waitFor('a start', ({ event }) => event === 'attempt_started');
    const why = (slot: unknown) => {
      const args = [
        'why',
        'a',
        String(slot),
        '--json',
        '--file',
        daemon.file,
        '--state-dir',
        daemon.stateDirectory,
      ];
      return JSON.parse(tsched(args).out) as { reason: string };
    };
    await daemon.until('the skip in the history', () => why(skip.slot).reason === 'overlap');
    // It may be late by more than a moment, on a busy machine.
    const reason = expect.stringMatching(/^(?:on_time|late|caught_up)$/) as string;
    expect(why(first.slot)).toMatchObject({ reason, run: { id: first.run, state: 'running' } });

    const asked = (slot: unknown) =>
      ask(socketOf(daemon), `/api/v1/jobs/a/why?time=${encodeURIComponent(String(slot))}`);
    expect((await asked(skip.slot)).body).toEqual(why(skip.slot));
    expect((await asked(first.slot)).body).toMatchObject({ reason, run: { id: first.run } });
  });
});
