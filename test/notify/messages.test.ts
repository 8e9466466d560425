import { describe, expect, it } from 'vitest';
import type { Notifier } from '../../src/model.ts';
import type { CommandRequest } from '../../src/notify/sender.ts';
import { AT, FAILURE, MEAN, posted, RUN, send, type Given, type Notice } from './support.ts';

describe('a command', () => {
  it('gets the message as JSON and in its environment', async () => {
    const asked: CommandRequest[] = [];
    const options: Given['options'] = { runCommand: async (request) => void asked.push(request) };
    const notifier: Notifier = { kind: 'command', argv: ['./tell'], cwd: '/srv' };
    expect(await send(notifier, FAILURE, { output: MEAN, options })).toEqual({ kind: 'delivered' });
    const [request] = asked;
    expect(request).toMatchObject({
      argv: ['./tell'],
      cwd: '/srv',
      env: { TSCHED_NOTICE: 'failure', TSCHED_JOB_ID: 'backup', TSCHED_RUN_ID: RUN.id },
    });
    expect(request?.env['TSCHED_SUBJECT']).toBe('backup failed with exit code 3, 3 times in a row on web1');
    expect(Object.values(request?.env ?? {}).join('')).not.toContain('\0');
    expect(JSON.parse(request?.stdin ?? '')).toMatchObject({ event: 'failure', job: { id: 'backup' } });
  });

  it('that fails was not told', async () => {
    const options: Given['options'] = { runCommand: async () => 'it ended with exit code 3' };
    expect(await send({ kind: 'command', argv: ['x'], cwd: '/' }, FAILURE, { options })).toEqual({
      kind: 'failed',
      final: false,
      message: 'it ended with exit code 3',
    });
  });
});

describe('what other messages say', () => {
  it.each<[Partial<Notice>, string, string]>([
    [{ notice: 'recovery', failures: 20 }, 'backup is well again after 20 failures on web1', 'Outcome'],
    [{ notice: 'recovery', failures: 0 }, 'backup is well again on web1', 'Outcome'],
    [{ notice: 'success', failures: 0 }, 'backup succeeded on web1', 'Outcome'],
    [
      { notice: 'late', late: { what: 'duration', expect: { duration: 1_800_000 }, since: AT } },
      'backup is late: it has been running for more than 30m00s on web1',
      'Since     Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin',
    ],
    [
      { notice: 'late', late: { what: 'finishedBy', expect: { finishedBy: '06:00' }, since: AT } },
      'backup is late: it has not succeeded by 06:00 on web1',
      'Due       Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin',
    ],
    [
      { notice: 'late', late: { what: 'every', expect: { every: 90_000_000 }, since: AT } },
      'backup is late: it has not succeeded for 1d1h on web1',
      'Since     Sun',
    ],
    [
      {
        notice: 'missed',
        skip: {
          jobId: 'backup',
          scheduledAt: AT,
          through: AT + 3_600_000,
          count: 3,
          reason: 'misfire',
          at: AT,
        },
      },
      'backup missed 3 slots on web1',
      'Why       its time had passed',
    ],
  ])('%j', async (change, subject, fact) => {
    const { run: _, failures: _2, failingSince: _3, ...rest } = FAILURE;
    const base: Notice =
      change.notice === 'late' || change.notice === 'missed' ? rest : { ...rest, run: RUN };
    const { body } = await posted('json', { ...base, ...change });
    expect(body).toMatchObject({ subject });
    expect((body as { text: string }).text).toContain(fact);
    const more = base.run === undefined ? 'More: tsched why backup' : `More: tsched logs ${RUN.id}`;
    expect((body as { text: string }).text).toContain(more);
  });
});
