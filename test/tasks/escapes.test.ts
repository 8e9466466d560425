/** What a job does to get away, or to get at more than it was given. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  bench,
  command,
  isRoot,
  later,
  lives,
  shell,
  surroundings,
  temporaryDirectory,
  until,
} from './harness.ts';

const timeOut = { kind: 'timed_out', after: 2000 } as const;

function groupOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]);
}

function killLater(pid: number): void {
  later(() => {
    if (lives(pid)) process.kill(pid, 'SIGKILL');
  });
}

describe('a stop reaches what left the group', () => {
  it.each([
    ['below timeout(1)', 'timeout 600 sh -c \'echo "stray $$"; sleep 600\'; echo over'],
    ['below setsid(1)', 'setsid sh -c \'echo "stray $$"; sleep 600\' & wait'],
    [
      'by KILL where it ignores the signal',
      'timeout 600 sh -c \'trap "" TERM; echo "stray $$"; while :; do sleep 1; done\'; echo over',
    ],
  ])('%s', async (_, script) => {
    const attempt = bench().start(shell(script, { killAfter: 300 }));
    const stray = await attempt.number('stray');
    killLater(stray);
    expect(groupOf(stray)).not.toBe(await attempt.started); // the fault
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual(timeOut);
    expect(lives(stray)).toBe(false);
  });

  it.runIf(spawnSync('perl', ['-v']).status === 0)('itself, into the group of who watches it', async () => {
    const script =
      '$| = 1; setpgrp(0, getpgrp(getppid())); $SIG{TERM} = "IGNORE"; print "moved $$\\n"; sleep 600';
    const { start } = bench();
    const attempt = start(command(['perl', '-e', script], { killAfter: 100 }));
    const pid = await attempt.number('moved');
    killLater(pid);
    expect(groupOf(pid)).not.toBe(pid); // the fault
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual(timeOut);
    expect(lives(pid)).toBe(false);
    expect(await start(shell('exit 3')).outcome).toMatchObject({ exitCode: 3 }); // nobody else was hit
  });
});

describe.runIf(isRoot)('a job of another user', () => {
  it('has nothing run as root: neither by its PATH nor by its LD_PRELOAD', async () => {
    const directory = temporaryDirectory();
    const trap = join(directory, 'trap');
    mkdirSync(trap);
    chmodSync(directory, 0o777);
    for (const name of ['setpriv', 'nice', 'setsid']) {
      const program = `#!/bin/sh\nid -u >>${directory}/users\nexec /usr/bin/${name} "$@"\n`;
      writeFileSync(join(trap, name), program, { mode: 0o755 });
    }
    const env = { PATH: `${trap}:${process.env['PATH']}`, LD_PRELOAD: join(directory, 'nosuch.so') };
    const script =
      'nice -n 1 true; LD_PRELOAD= id -u; cat /proc/self/environ | tr "\\0" "\\n" | grep ^LD_PRELOAD=';
    const attempt = bench().start(shell(script, surroundings({ user: 'nobody', nice: 3, env })));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    const said = attempt.log().split('\n');
    const uid = said.find((line) => /^\d+$/u.test(line));
    // It does take what its PATH has first: as itself.
    expect(readFileSync(join(directory, 'users'), 'utf8')).toBe(`${uid}\n`);
    expect(uid).not.toBe('0');
    expect(said).toContain(`LD_PRELOAD=${env.LD_PRELOAD}`);
    // Each program that loads it complains: env, sh and what sh runs, but neither nice nor setpriv.
    expect(said[0]).toMatch(/cannot be preloaded|^\d+$/u);
  });
});

describe('output', () => {
  it('of what got away does not hold the end, however much it is', async () => {
    const { start, output } = bench();
    const script =
      '(setsid sh -c \'echo "stray $$"; exec yes 0123456789012345678901234567890123456789\' &); sleep 0.5';
    const attempt = start(shell(script, { output: { maxSize: 100_000, keep: 1, log: 'all' } }));
    const stray = await until('the stray', () => {
      const first = output.flatMap(({ lines }) => lines).find((line) => line.startsWith('stray'));
      return first === undefined ? undefined : Number(first.split(' ')[1]);
    });
    try {
      expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
      expect(lives(stray)).toBe(true); // the fault
    } finally {
      process.kill(stray, 'SIGKILL');
    }
  });

  it('that the process itself emptied is told from its new beginning', async () => {
    const { start, output, runsDirectory } = bench();
    const go = join(runsDirectory, 'go');
    const script = `echo a long first line; while [ ! -e ${go} ]; do sleep 0.02; done; echo two >/dev/stderr; echo three`;
    const attempt = start(shell(script, { output: { maxSize: 100_000, keep: 1, log: 'all' } }));
    const told = (): string[] => output.flatMap(({ lines }) => lines);
    await until('the first line', () => told().length > 0);
    writeFileSync(go, '');
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    expect(attempt.log()).toBe('two\nthree\n'); // the fault
    expect(told()).toEqual(['a long first line', 'two', 'three']);
  });

  it('that has nowhere to go keeps the process from starting', async () => {
    const { start, runsDirectory } = bench();
    const marker = join(runsDirectory, 'marker');
    mkdirSync(join(runsDirectory, 'taken', 'attempt-1.log'), { recursive: true });
    const attempt = start(shell(`touch ${marker}`, { runId: 'taken' }));
    expect(await attempt.outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringContaining('The output file'),
    });
    expect(existsSync(marker)).toBe(false);
  });
});
