/** What `tsched why` tells of jobs that follow and need others, of a history that was written for it. */
import { describe, expect, it } from 'vitest';
import { takeLock } from '../../src/store/lock.ts';
import { statePaths } from '../../src/store/state-directory.ts';
import { going, ran, skipped, stateWith, type Past } from './past.ts';
import { project, tsched } from './tsched.ts';

const jobs = `
timezone: UTC
jobs:
  a: { cron: "0 1 * * *", run: x }
  b: { after: a, run: x }
  c: { after: { jobs: [a, b], on: failure, when: any }, run: x }
  off: { after: a, enabled: false, run: x }
  needy: { cron: "0 7 * * *", needs: [b, a], needs_timeout: 2h, run: x }
`;
const at = '2026-11-23 12:00:00';
const slot = '2026-11-23T01:00:00Z';
const failed = { kind: 'failed', exitCode: 1 } as const;

interface Told {
  readonly reason: string;
  readonly slot: string | null;
  readonly lines: readonly string[];
}

function told(id: string, past: Past, state = stateWith(past)): Told {
  const cwd = project(jobs);
  const asked = (...more: string[]) => tsched(['why', id, '--state-dir', state, ...more], { cwd, at });
  const { reason, slot } = JSON.parse(asked('--json').out) as Told;
  const lines = asked().out.split('\n').slice(1, -1);
  return { reason, slot, lines: lines.map((line) => line.replace(/, run [\-0-9a-f]+$/v, '').trimEnd()) };
}

describe('tsched why, of jobs that hang together', () => {
  it('tells the newest time of what it follows, and what it waits for while a daemon runs', () => {
    const past = { runs: [going('a', '2026-11-23T11:59:00Z')] };
    expect(told('b', past)).toMatchObject({ reason: 'daemon_down', slot: '2026-11-23T11:59:00Z' });
    const state = stateWith(past);
    const lock = takeLock(statePaths(state).lock);
    const { reason, lines } = told('b', past, state);
    lock?.release();
    expect(reason).toBe('waiting');
    expect(lines).toEqual([
      '  it waits: it runs after a has succeeded',
      '  it follows a: it has been running for 1m',
    ]);
  });

  it('tells that nothing ran that it could follow, and that it rests', () => {
    const past = { skips: [skipped('a', slot)] };
    expect(told('b', past)).toEqual({
      reason: 'not_followed',
      slot,
      lines: ['  nothing ran at that time that it follows', '  it follows a: it was skipped (overlap)'],
    });
    expect(told('off', { runs: [ran('a', slot)] })).toMatchObject({ reason: 'disabled', slot });
  });

  it('tells what it follows of runs by hand, and that nobody follows a replay', () => {
    const { reason, lines } = told('b', { runs: [ran('a', slot, { cause: 'manual' })] });
    expect(reason).toBe('daemon_down');
    expect(lines).toContain('  it follows a: it succeeded after 1.5s');
    expect(told('b', { runs: [ran('a', slot, { cause: 'replay', replay: 'x' })] })).toEqual({
      reason: 'not_followed',
      slot,
      lines: ['  nothing ran at that time that it follows', '  it follows a: it succeeded after 1.5s'],
    });
  });

  it('tells each way once, down to where it begins', () => {
    const { reason, lines } = told('c', {
      runs: [
        ran('a', slot),
        ran('b', slot, { outcome: failed, cause: 'dependency' }),
        ran('c', slot, { cause: 'dependency' }),
      ],
    });
    expect(reason).toBe('followed');
    expect(lines.slice(0, 4)).toEqual([
      '  it ran after the first of a, b has failed: it started 12ms after the scheduled time',
      '  it succeeded after 1.5s',
      '  it follows a: it succeeded after 1.5s',
      '  it follows b: it failed with exit code 1 after 1.5s',
    ]);
  });

  it('tells what it needed, and waited for in vain', () => {
    const { reason, lines } = told('needy', {
      runs: [ran('a', slot), ran('b', slot, { outcome: failed, cause: 'dependency' })],
      skips: [skipped('needy', '2026-11-23T07:00:00Z', { reason: 'dependency' })],
    });
    expect(reason).toBe('dependency');
    expect(lines).toContain('  it did not run: it waited 2h in vain for b, a to succeed');
    expect(lines).toContain('  to wait longer: needs_timeout; to run it all the same: needs_failed: run');
    expect(lines).toContain('  it needs b: it failed with exit code 1 after 1.5s');
    expect(lines).toContain('    b follows a: it succeeded after 1.5s');
  });
});
