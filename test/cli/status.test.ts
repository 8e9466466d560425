import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DaemonFile, type DaemonInfo } from '../../src/store/daemon-file.ts';
import { takeLock } from '../../src/store/lock.ts';
import { statePaths } from '../../src/store/state-directory.ts';
import { startDaemon } from '../support/daemon.ts';
import { going, ran, stateWith } from './past.ts';
import { directory, project, tsched } from './tsched.ts';

const at = '2026-11-23 12:00:00';
const outcome = { kind: 'failed', exitCode: 3 } as const;
const info: DaemonInfo = {
  pid: 4711,
  startedAt: Date.parse('2026-11-20T08:00:00Z'),
  version: '0.4.0',
  file: '/etc/tsched/jobs.yaml',
  jobs: 5,
  loadedAt: Date.parse('2026-11-23T09:02:11Z'),
  store: { kind: 'well' },
};

/** As a daemon leaves it: jobs loaded, one failing, one active, one paused. */
function lived(): string {
  const place = { schedule: '{}', from: 0 };
  return stateWith({
    runs: [
      ran('bad', '2026-11-23T01:30:00Z', { outcome }),
      ran('good', '2026-11-23T01:30:00Z'),
      ran('left', '2026-11-23T01:30:00Z', { outcome }),
      going('slow', '2026-11-23T11:59:00Z'),
    ],
    placed: [
      ['bad', place],
      ['good', place],
      ['slow', place],
    ],
    pauses: [
      ['good', { since: 1, reason: 'holiday \u001b[2J' }],
      ['bad', { since: 1, until: 2 }],
    ],
  });
}

/** Stands in for a daemon: holds its lock, says of itself what a daemon says. */
function inhabited(state: string, said: DaemonInfo): () => void {
  const lock = takeLock(statePaths(state).lock);
  const file = new DaemonFile(statePaths(state).daemon, said);
  return () => {
    file.close();
    lock?.release();
  };
}

describe('tsched status', () => {
  it('is well while a daemon runs and records', () => {
    const state = lived();
    const leave = inhabited(state, info);
    const { code, out } = tsched(['status', '--state-dir', state], { at });
    leave();
    expect(code).toBe(0);
    expect(out.replaceAll(state, 'STATE')).toMatchInlineSnapshot(`
      "daemon   tsched 0.4.0 running for 3d, since Fri 20 Nov 08:00   pid 4711
      file     /etc/tsched/jobs.yaml   5 jobs, loaded Mon 23 Nov 09:02:11
      store    STATE/tsched.db   66 KB   4 runs, 0 skips
      active   1   slow (running)
      failing  1   bad
      paused   1   good: holiday \\x1b[2J
      "
    `);
  });

  it('says no while nothing is recorded, and since when, why and what to do', () => {
    const state = lived();
    const since = Date.parse('2026-11-23T11:00:00Z');
    const store = {
      kind: 'degraded',
      since,
      message: 'database or disk is full',
      hint: 'make room',
    } as const;
    const leave = inhabited(state, { ...info, store });
    const told = tsched(['status', '--state-dir', state], { at });
    const json = tsched(['status', '--json', '--state-dir', state], { at });
    leave();
    expect(told.code).toBe(1);
    expect(told.out).toContain(
      'degraded since Mon 23 Nov 11:00: database or disk is full (make room); jobs go on, history waits in memory',
    );
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      healthy: false,
      running: true,
      daemon: { pid: 4711, startedAt: '2026-11-20T08:00:00Z', version: '0.4.0', fileProblem: null },
      store: {
        state: 'degraded',
        since: '2026-11-23T11:00:00Z',
        message: 'database or disk is full',
        hint: 'make room',
        runs: 4,
      },
      active: [{ jobId: 'slow', state: 'running' }],
      failing: ['bad'],
      paused: [{ jobId: 'good', since: '1970-01-01T00:00:00.001Z', until: null }],
    });
  });

  it('says no when the job file was broken by an edit, or nobody runs', async () => {
    const where = project('');
    const daemon = await startDaemon({
      jobs: 'jobs:\n  a: { every: 1h, run: x }\n',
      directory: where,
    }).ready();
    const status = () => tsched(['status', '--state-dir', daemon.stateDirectory]);
    const well = status();
    expect([well.code, well.out]).toEqual([0, expect.stringContaining(`pid ${daemon.pid}`)]);
    writeFileSync(join(where, 'jobs.yaml'), 'jobs:\n  a: { evry: 1h, run: x }\n');
    daemon.signal('SIGHUP');
    await daemon.waitFor('the refusal', ({ msg }) => msg.includes('the jobs loaded before stay'));
    const broken = status();
    expect(broken.code).toBe(1);
    expect(broken.out).toMatch(/the job file has an error; the jobs loaded before stay; see tsched validate/);
    await daemon.stop();
    const down = status();
    expect(down.code).toBe(1);
    expect(down.out).toMatch(/not running in .*; the last one started .* \(pid \d+\)/);
  });

  it('answers where there is nothing at all', () => {
    const state = join(directory(), 'none');
    const { code, out } = tsched(['status', '--json', '--state-dir', state]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      healthy: false,
      running: false,
      daemon: null,
      store: { state: 'absent', bytes: null, runs: 0 },
    });
  });
});
