import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock, EngineEvent } from '../../src/engine/ports.ts';
import type { JobDefinition, Outcome, RunRecord } from '../../src/model.ts';
import { createLog, type Log, type LogOptions } from '../../src/observe/log.ts';

const at = Date.UTC(2026, 9, 25, 0, 30);
const clock: Clock = { now: () => at + 5_120, monotonic: () => 0, after: () => () => undefined };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsched-log-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function logged(options: Partial<LogOptions>, write: (log: Log) => void): Promise<string> {
  const file = join(directory, 'log');
  const log = createLog({
    clock,
    level: 'debug',
    format: 'human',
    file,
    timezone: 'Europe/Berlin',
    color: false,
    environment: {},
    ...options,
  });
  write(log);
  await log.close();
  return readFileSync(file, 'utf8');
}

const run: RunRecord = {
  id: '019a7c4e-0000-7000-8000-000000000000',
  jobId: 'backup',
  scheduledAt: at,
  cause: 'catch_up',
  claimedAt: at,
  state: 'running',
  attempts: [],
};
const failed: Outcome = { kind: 'failed', exitCode: 3 };
const tried: RunRecord = {
  ...run,
  attempts: [
    { number: 1, startedAt: at, duration: 1500, outcome: failed },
    { number: 2, startedAt: at, duration: 2500, outcome: failed },
  ],
};

const events: readonly EngineEvent[] = [
  { kind: 'engine_started', jobs: 1 },
  { kind: 'jobs_applied', added: ['a', 'b'], changed: [], removed: ['c'], unchanged: 4 },
  { kind: 'clock_stepped', by: -7_200_000, at },
  { kind: 'run_claimed', run, late: 3000 },
  {
    kind: 'run_waiting',
    jobId: 'backup',
    scheduledAt: at,
    reason: 'limit',
    limit: 'database',
    heldBy: ['report'],
  },
  { kind: 'attempt_started', run, attempt: 1, pid: 812 },
  { kind: 'attempt_ended', run, attempt: 1, outcome: failed, duration: 1500 },
  { kind: 'retry_scheduled', run: tried, attempt: 3, at: at + 15_120 },
  { kind: 'run_finished', run: tried, outcome: failed, definition: {} as JobDefinition },
  { kind: 'run_finished', run: tried, outcome: { kind: 'succeeded' }, definition: {} as JobDefinition },
  {
    kind: 'run_finished',
    run,
    outcome: { kind: 'cancelled', by: 'shutdown' },
    definition: {} as JobDefinition,
  },
  {
    kind: 'slots_skipped',
    skip: { jobId: 'backup', scheduledAt: at, through: at, count: 1, reason: 'overlap', at },
  },
  {
    kind: 'slots_skipped',
    skip: { jobId: 'backup', scheduledAt: at, through: at + 3_600_000, reason: 'misfire', at },
  },
  { kind: 'job_disabled', jobId: 'backup', message: 'its trigger went back in time' },
  { kind: 'store_failed', message: 'disk full' },
  { kind: 'engine_stopping', active: 2 },
  { kind: 'engine_stopped' },
];

describe('the log', () => {
  it('tells every event to people in one line, in their zone', async () => {
    const text = await logged({}, (log) => {
      for (const event of events) log.observer.observe(event);
    });
    expect(text.trimEnd().split('\n')).toHaveLength(events.length);
    expect(text).toMatchInlineSnapshot(`
      "2026-10-25 02:30:05.120 INFO  started with 1 job
      2026-10-25 02:30:05.120 INFO  jobs: 2 added (a, b), 1 removed (c), 4 unchanged
      2026-10-25 02:30:05.120 WARN  the clock stepped back by 2h00m
      2026-10-25 02:30:05.120 DEBUG backup: due (catch_up), 3s late
      2026-10-25 02:30:05.120 INFO  backup: waits for the pool database, held by report
      2026-10-25 02:30:05.120 INFO  backup: started (pid 812, catching up)
      2026-10-25 02:30:05.120 DEBUG backup: attempt 1 failed with exit code 3 after 1.5s
      2026-10-25 02:30:05.120 WARN  backup: failed with exit code 3 after 2.5s; attempt 3 in 10s
      2026-10-25 02:30:05.120 ERROR backup: failed with exit code 3 after 2.5s (2 attempts)
      2026-10-25 02:30:05.120 INFO  backup: succeeded after 2.5s (2 attempts)
      2026-10-25 02:30:05.120 INFO  backup: cancelled because tsched stops
      2026-10-25 02:30:05.120 WARN  backup: skipped the slot of 2026-10-25 02:30:00: the run before it is still active
      2026-10-25 02:30:05.120 WARN  backup: skipped many slots from 2026-10-25 02:30:00 to 2026-10-25 02:30:00: its time had passed by more than its misfire policy forgives
      2026-10-25 02:30:05.120 CRIT  backup: stopped until its definition changes: its trigger went back in time
      2026-10-25 02:30:05.120 ERROR the history could not be recorded: disk full; jobs go on
      2026-10-25 02:30:05.120 INFO  stopping: 2 runs still active
      2026-10-25 02:30:05.120 INFO  stopped
      "
    `);
  });

  it('tells every event to programs as one JSON object', async () => {
    const text = await logged({ format: 'json' }, (log) => {
      for (const event of events) log.observer.observe(event);
    });
    const records = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map((record) => record.event)).toEqual(events.map((event) => event.kind));
    expect(records[8]).toMatchInlineSnapshot(`
      {
        "attempt": 2,
        "durationMs": 2500,
        "event": "run_finished",
        "exitCode": 3,
        "job": "backup",
        "level": "error",
        "msg": "failed with exit code 3 after 2.5s (2 attempts)",
        "outcome": "failed",
        "run": "019a7c4e-0000-7000-8000-000000000000",
        "slot": "2026-10-25T00:30:00Z",
        "time": "2026-10-25T00:30:05.120Z",
      }
    `);
  });

  it('leaves out what is less severe than its level', async () => {
    const text = await logged({ level: 'error' }, (log) => {
      log.write('warning', 'quiet');
      log.write('error', 'loud');
    });
    expect(text).toContain('ERROR loud');
    expect(text).not.toContain('quiet');
  });

  const forged = 'x\n{"level":"info","msg":"forged"}\r\n<0>forged\u001b[2J\u2028\u202e\0';
  const forge = (log: Log): void => {
    log.output(forged, { job: 'evil\nid\u202e', run: run.id, attempt: 1 });
    log.observer.observe({ kind: 'store_failed', message: forged });
    log.observer.observe({ kind: 'job_disabled', jobId: forged, message: forged });
  };

  it.each(['human', 'json', 'journald'] as const)(
    '%s: no output of a job can forge a record',
    async (format) => {
      const text = await logged({ format }, forge);
      expect(text.trimEnd().split('\n')).toHaveLength(3);
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    },
  );

  it('indents the further lines of its own texts, so that none can pass for a record', async () => {
    const write = (log: Log): void => log.write('error', 'a.yaml:1:1: error\n> 1 │ x: \u001b[2J');
    const human = await logged({}, write);
    expect(human.slice(human.indexOf('ERROR'))).toBe('ERROR a.yaml:1:1: error\n    > 1 │ x: \\x1b[2J\n');
    rmSync(join(directory, 'log'));
    expect(await logged({ format: 'journald' }, write)).toBe(
      '<3>a.yaml:1:1: error\n<3>    > 1 │ x: \\x1b[2J\n',
    );
  });

  it('keeps output whole in JSON', async () => {
    const [line = ''] = (await logged({ format: 'json' }, forge)).split('\n');
    expect(JSON.parse(line)).toMatchObject({ msg: forged, job: 'evil\nid\u202e', event: 'output' });
  });

  it('goes on after a record that cannot be told', async () => {
    const text = await logged({}, (log) => {
      log.output(Symbol('no text') as unknown as string, {});
      log.write('info', 'after');
    });
    expect(text).toMatch(/ERROR a log record could not be written: .*\n.*INFO {2}after\n$/);
  });

  it('gives the journal a priority and no time', async () => {
    const text = await logged({ format: 'journald' }, (log) => {
      log.write('notice', 'hello');
      log.write('error', 'bad', { job: 'a' });
      log.output('text', { job: 'a' });
    });
    expect(text).toBe('<5>hello\n<3>a: bad\n<6>a│ text\n');
  });

  it('paints only when asked to', async () => {
    const write = (log: Log): void => log.write('error', 'bad');
    expect(await logged({ color: true }, write)).toContain('\u001b[31mERROR\u001b[39m');
    rmSync(join(directory, 'log'));
    expect(await logged({ color: false }, write)).not.toContain('\u001b');
  });
});

describe('the log on standard output', () => {
  const script = `
    import { createLog } from ${JSON.stringify(new URL('../../src/observe/log.ts', import.meta.url).href)};
    const { fstatSync } = await import('node:fs');
    const clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
    const { dev, ino } = fstatSync(1);
    const environment = { JOURNAL_STREAM: process.argv[1] === 'ours' ? dev + ':' + ino : '8:1' };
    const log = createLog({ clock, level: 'info', format: 'auto', timezone: 'UTC', color: false, environment });
    log.write('notice', 'hello');
    await log.close();
  `;
  const output = (argument: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script, argument], { encoding: 'utf8' });

  it("is the journal's when JOURNAL_STREAM names our output, JSON when it names another", () => {
    expect(output('ours')).toBe('<5>hello\n');
    expect(JSON.parse(output('other'))).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'notice',
      msg: 'hello',
    });
  });

  it('is for people on a terminal', () => {
    const command = `${process.execPath} --input-type=module -e ${quote(script)} other`;
    const text = execFileSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(text.trim()).toBe('1970-01-01 00:00:00.000 INFO  hello');
  });
});

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
