import { describe, expect, it } from 'vitest';
import type { Notifier } from '../../src/model.ts';
import type { Digest } from '../../src/notify/digest.ts';
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

describe('a digest', () => {
  const { run: _, ...late } = FAILURE;
  const messages: Notice[] = [
    ...Array.from({ length: 198 }, (_, n): Notice => ({ ...FAILURE, id: `f-${n}`, jobId: `job-${n}` })),
    {
      ...late,
      id: 'late',
      jobId: MEAN,
      notice: 'late',
      late: { what: 'every', expect: { every: 60_000 }, since: AT },
    },
    { ...FAILURE, id: 'last', jobId: 'job-1', notice: 'recovery', at: AT + 60_000 },
  ];
  const digest: Digest = { kind: 'digest', id: 'last', to: 'it', messages };
  const subject = '200 messages about 199 jobs: 198 failed, 1 late, 1 well again on web1';

  it('names them all, with what became of each', async () => {
    const { body, request } = await posted('json', digest);
    expect(request.headers).toMatchObject({ 'x-tsched-event': 'digest', 'x-tsched-delivery': 'last' });
    expect(body).toMatchObject({ id: 'last', event: 'digest', job: null, run: null, failures: 0, subject });
    const told = body as { text: string; messages: { job: { id: string } }[]; output: string[] };
    expect(told.messages.map(({ job }) => job.id)).toEqual(messages.map(({ jobId }) => jobId));
    expect(told.messages[0]).toMatchObject({ event: 'failure', run: { id: RUN.id }, failures: 3 });
    expect(told.output).toHaveLength(200);
    expect(told.text.split('\n')).toHaveLength(200 + 13);
    expect(told.text).toContain('    job-197 failed with exit code 3, 3 times in a row\n');
    expect(told.text).toContain('First     Sun 2026-10-25 02:30:12 +01:00 Europe/Berlin');
  });

  it.each([
    ['slack', 35_000, '1 well again:'],
    ['discord', 2500, '1 well again:'],
    ['teams', 30_000, '1 well again:'],
    ['ntfy', 4500, '"priority":4,"tags":["bell"]'],
  ] as const)('has room at %s, where names must do', async (format, room, told) => {
    const { request } = await posted(format, digest);
    expect(request.body.length).toBeLessThan(room);
    expect(request.body).toContain('200 messages about 199 jobs');
    expect(request.body).toMatch(/job-195, job-196, job-197\\n1 late:/);
    expect(request.body).toContain(told);
  });

  it('is for a command what each message is', async () => {
    const asked: CommandRequest[] = [];
    const options: Given['options'] = { runCommand: async (request) => void asked.push(request) };
    await send({ kind: 'command', argv: ['./tell'], cwd: '/srv' }, digest, { options });
    expect(asked[0]?.env).toMatchObject({ TSCHED_SUBJECT: subject, TSCHED_NOTICE: 'digest' });
    expect(asked[0]?.env).not.toHaveProperty('TSCHED_JOB_ID');
    expect(JSON.parse(asked[0]?.stdin ?? '').messages).toHaveLength(200);
  });
});
