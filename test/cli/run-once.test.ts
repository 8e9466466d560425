import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, plainEnvironment, project, tsched, type Ran } from './tsched.ts';

const jobs = `
defaults: { every: 1h }
jobs:
  both: { run: "echo out; echo err >&2" }
  seven: { run: exit 7 }
  fine: { run: exit 3, success_exit_codes: [0, 3] }
  flaky:
    run: echo "try $TSCHED_ATTEMPT"; test "$TSCHED_ATTEMPT" -ge 3
    retry: { limit: 5, delay: 10ms, jitter: false }
  slow: { run: sleep 60, timeout: 200ms, retry: { limit: 1, delay: 10ms, jitter: false } }
  missing: { command: [./missing] }
  plain: { command: [./plain] }
  nomodule: { module: ./none.ts }
  nowhere: { run: echo, cwd: ./none }
  segv: { run: "kill -SEGV $$" }
  self: { run: 'echo "$TSCHED_JOB_ID $TSCHED_CAUSE $TSCHED_ATTEMPT"' }
  zone: { run: 'date +%Z' }
  declared: { run: 'echo "$TSCHED_PARAM_DAY $TSCHED_PARAM_N"', params: { day: string, n: { type: integer, default: 7 } } }
  off: { run: echo ran, enabled: false }
  waits:
    run: "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
  stubborn:
    run: "trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done"
    kill_after: 60s
  later: { run: exit 1, retry: { limit: 1, delay: 1h, jitter: false } }
`;

function once(args: readonly string[], env: Record<string, string> = {}): Ran {
  return tsched(['run-once', ...args], { cwd: project(jobs, { plain: 'text' }), env });
}

describe('tsched run-once', () => {
  it('gives what is declared, over the defaults', () => {
    expect(once(['declared', '--with', 'day=01'])).toMatchObject({ code: 0, out: '01 7\n' });
    const { code, err } = once(['declared', '--with', 'n=x']);
    expect(code).toBe(64);
    expect(err).toContain('"n" takes a whole number, not "x"');
  });

  it('gives the job our standard output and error; what we say goes to the latter, and not when quiet', () => {
    const loud = once(['both']);
    expect(loud).toMatchObject({ code: 0, out: 'out\n' });
    expect(loud.err).toMatch(/^▶ both\nerr\n✔ both succeeded after \S+\n$/);
    expect(once(['both', '--quiet'])).toEqual({ code: 0, out: 'out\n', err: 'err\n' });
  });

  it.each([
    ['seven', 7],
    ['fine', 3],
    ['missing', 127],
    ['nomodule', 127],
    ['nowhere', 125],
    ['plain', 126],
    ['segv', 139],
  ])('%s ends with %d', (id, code) => expect(once([id]).code).toBe(code));

  it('tries again as the job says, or once when told to', () => {
    const { code, out, err } = once(['flaky']);
    expect({ code, out }).toEqual({ code: 0, out: 'try 1\ntry 2\ntry 3\n' });
    expect(err).toContain('▶ flaky, attempt 3 of 6');
    expect(once(['flaky', '--no-retry'])).toMatchObject({ code: 1, out: 'try 1\n' });
  });

  it('ends with 124 when the last attempt timed out', () => {
    const { code, err } = once(['slow']);
    expect(code).toBe(124);
    expect(err).toMatch(/✖ slow timed out after 200ms; attempt 2 of 2 in \d+ms\n/);
  });

  it('says why a job did not start, even when quiet', () => {
    const { err } = once(['missing', '--quiet']);
    expect(err).toMatch(/^✖ missing not started: There is no file \S+missing\.\n$/);
  });

  it('ends with 125 and what to do where it cannot keep what it needs', () => {
    const { code, err } = once(['both'], { TMPDIR: '/nonexistent' });
    expect(code).toBe(125);
    expect(err).toMatch(/^tsched: cannot make a directory for the run: ENOENT.*; name one .* with TMPDIR\n$/);
  });

  it('runs the job though nobody can read what we say', () => {
    const script = `"$0" "$1" run-once seven 2> /dev/full; echo "$?"; { "$0" "$1" run-once seven; echo "$?" >&3; } 3>&1 2>&1 >/dev/null | true`;
    const { stdout } = spawnSync('sh', ['-c', script, process.execPath, bin], {
      encoding: 'utf8',
      cwd: project(jobs),
      env: plainEnvironment(),
    });
    expect(stdout).toBe('7\n');
  });

  it("gives the job its variables and the user's own TZ", () => {
    expect(once(['self']).out).toBe('self manual 1\n');
    expect(once(['zone'], { TZ: 'Asia/Tokyo' }).out).toBe('JST\n');
  });

  it('runs a disabled job, since somebody asks for it', () => {
    expect(once(['off']).out).toBe('ran\n');
  });

  it('knows which id was meant', () => {
    const { code, out, err } = once(['flakey']);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toBe('tsched: there is no job "flakey" in jobs.yaml; did you mean "flaky"?\n');
  });
});

describe('a signal to tsched run-once', () => {
  /** Starts a job, sends a signal each time a line of its output says so, and waits for the end. */
  async function interrupted(
    id: string,
    signals: Readonly<Record<string, NodeJS.Signals>>,
  ): Promise<Ran & { cwd: string }> {
    const cwd = project(jobs);
    const child = spawn(process.execPath, [bin, 'run-once', id], { cwd, env: plainEnvironment() });
    const said = { out: '', err: '' };
    const hear = (stream: 'out' | 'err') => (chunk: string) => {
      said[stream] += chunk;
      for (const line of chunk.split('\n')) {
        const signal = Object.entries(signals).find(([words]) => line.includes(words))?.[1];
        if (signal !== undefined) child.kill(signal);
      }
    };
    child.stdout.setEncoding('utf8').on('data', hear('out'));
    child.stderr.setEncoding('utf8').on('data', hear('err'));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, ...said, cwd };
  }

  it('once asks the job to end', async () => {
    const { code, out, err } = await interrupted('waits', { ready: 'SIGINT' });
    expect({ code, out }).toEqual({ code: 130, out: 'ready\nbye\n' });
    expect(err).toContain('✖ waits cancelled by an operator');
  });

  it('TERM likewise, with its own code', async () => {
    expect((await interrupted('waits', { ready: 'SIGTERM' })).code).toBe(143);
  });

  it('of a closed terminal likewise, and none of it is left', async () => {
    const { code, out } = await interrupted('waits', { ready: 'SIGHUP' });
    expect({ code, out }).toEqual({ code: 129, out: 'ready\nbye\n' });
  });

  it('QUIT kills it at once', async () => {
    const { code, out } = await interrupted('stubborn', { ready: 'SIGQUIT' });
    expect(code).toBe(131);
    expect(out).toMatch(/^ready\n(?:no\n)?$/);
  });

  it('twice kills it, whatever it thinks of that', async () => {
    const { code, out } = await interrupted('stubborn', { ready: 'SIGINT', no: 'SIGINT' });
    expect({ code, out }).toEqual({ code: 130, out: 'ready\nno\n' });
  });

  it('ends the wait for the next attempt', async () => {
    const { code, err } = await interrupted('later', { 'in 1h00m': 'SIGINT' });
    expect(code).toBe(130);
    expect(err).not.toContain('attempt 2 of 2\n');
  });
});

describe('what tsched run-once leaves', () => {
  it('is nothing: no directory, no process', () => {
    const cwd = project(`jobs:\n  a: { every: 1h, run: 'echo $PPID; ps -o ppid= -p $PPID' }\n`);
    const temporary = join(cwd, 'tmp');
    const { out } = tsched(['run-once', 'a'], { cwd, env: { TMPDIR: project('') } });
    const pids = out.trim().split(/\s+/);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect.soft(isAlive(pid)).toBe(false);
    expect(existsSync(temporary)).toBe(false);
  });

  function isAlive(pid: string): boolean {
    try {
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') && Number(pid) !== process.pid;
    } catch {
      return false;
    }
  }
});
