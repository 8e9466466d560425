/** The exit record decides whether a process is started, and tells the next daemon which. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fence, readRecord } from '../../src/tasks/exit-record.ts';
import type { LaunchRequest } from '../../src/tasks/launch.ts';
import { isRoot, later, lives, programs, temporaryDirectory, until } from './harness.ts';
import { launcher, shells } from './launcher.ts';

const taken = {
  kind: 'not_started',
  message: 'Another daemon took this over before it was started.',
};

const wrappings: [string, Partial<LaunchRequest>][] = [
  ['nothing', {}],
  ['env', { env: { 'odd.name': '1' } }],
  ['bare', { inheritEnv: false }],
  ['nice', { nice: 3 }],
  ['limits', { limits: { cpu: 100 } }],
  ['user', { user: 'nobody' }],
];

/** Busybox has a setpriv of its own, which can do too little. */
function possible(name: string): [string, Partial<LaunchRequest>][] {
  return wrappings.filter(([wrapping]) => wrapping !== 'user' || (isRoot && name !== 'busybox'));
}

describe.each(shells)('under %s', (name, shell) => {
  describe.each(possible(name))('wrapped in %s', (_, more) => {
    it('what is fenced is not started', async () => {
      const { launch, directory } = launcher(shell);
      const exitPath = join(directory, 'fenced.exit');
      expect(fence(exitPath)).toBe(true);
      const { events, end, base } = launch('echo begun', { ...more, exitPath });
      expect(await end).toEqual(taken);
      expect(events).toHaveLength(1);
      expect(existsSync(`${base}.log`)).toBe(false);
      expect(readRecord(exitPath)).toEqual({ kind: 'fenced' });
    });

    it('what is started cannot be fenced, and its record names it', async () => {
      const { launch, directory } = launcher(shell);
      chmodSync(directory, 0o755); // another user looks into it
      const go = join(directory, 'go');
      const { pid, end, base } = launch(`echo $$; while [ ! -e ${go} ]; do sleep 0.02; done; exit 3`, more);
      const id = await pid;
      expect(fence(`${base}.exit`)).toBe(false);
      expect(readRecord(`${base}.exit`)).toEqual({ kind: 'started', pid: id });
      const log = `${base}.log`;
      await until('its word', () => existsSync(log) && readFileSync(log, 'utf8') === `${id}\n`);
      writeFileSync(go, '');
      expect(await end).toEqual({ kind: 'exited', exitCode: 3 });
      expect(readRecord(`${base}.exit`)).toEqual({ kind: 'exited', exitCode: 3 });
      expect(statSync(`${base}.exit`).mode & 0o777).toBe(0o600);
    });

    it('what could not be started is on record', async () => {
      const { launch } = launcher(shell);
      const { end, base } = launch('true', { ...more, cwd: '/nosuch' });
      expect(await end).toMatchObject({ kind: 'not_started' });
      expect(readRecord(`${base}.exit`)).toMatchObject({
        kind: 'not_started',
        step: expect.arrayContaining(['cwd']),
      });
    });
  });

  it('of what waits when the daemon is killed, each is either started or fenced', async () => {
    const directory = temporaryDirectory();
    const count = 150;
    const daemon = spawn(
      process.execPath,
      [join(programs, 'backlog.ts'), directory, String(count), ...shell],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [said] = (await once(daemon.stdout, 'data')) as [Buffer];
    const spawner = Number(said);
    later(() => {
      if (lives(spawner)) process.kill(spawner, 'SIGKILL');
    });
    await until('the first', () => existsSync(join(directory, '0.begun')));
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    const paths = Array.from({ length: count }, (_, index) => join(directory, String(index)));
    const fenced = new Set(paths.toReversed().filter((path) => fence(`${path}.exit`)));
    await until('the end of the spawner', () => !lives(spawner));
    const begun = paths.filter((path) => !fenced.has(path));
    for (const path of begun)
      await until(`the end of ${path}`, () => readRecord(`${path}.exit`).kind === 'exited');
    expect(fenced.size).toBeGreaterThan(0); // the fault
    expect(begun.length).toBeGreaterThan(0);
    expect(paths.filter((path) => existsSync(`${path}.begun`))).toEqual(begun);
  });
});

it('a record that cannot be made keeps the process from starting', async () => {
  const { launch, directory } = launcher();
  const exitPath = join(directory, 'nosuch/1.exit');
  expect(await launch('true', { exitPath }).end).toEqual({
    kind: 'not_started',
    message: `The exit record ${exitPath} cannot be made: the disk may be full, or its directory gone.`,
  });
  expect(() => fence(exitPath)).toThrow('ENOENT');
});

describe('a record', () => {
  it.each([
    ['', { kind: 'empty' }],
    ['started 12', { kind: 'empty' }],
    ['fenced\n', { kind: 'fenced' }],
    ['launched\n', { kind: 'empty' }],
    ['started 12\n', { kind: 'started', pid: 12 }],
    ['failed limits 1\nstarted 12\nfailed wrapper\nlaunched\n', { kind: 'started', pid: 12 }],
    ['started 12\nexited 1', { kind: 'started', pid: 12 }],
    ['started 12\n[1]+  Exit 137   job "$@"\nexited 137\n', { kind: 'exited', exitCode: 137 }],
    ['started 12\nsignalled 9\n', { kind: 'signalled', signal: 'SIGKILL' }],
    ['started 12\nsignalled 40\n', { kind: 'signalled', signal: 'SIGRTMIN+6' }],
    ['not_started user\n', { kind: 'not_started', step: ['user'] }],
    ['started 12\nfailed exec 126\nnot_started exec 126\n', { kind: 'not_started', step: ['exec', '126'] }],
  ])('that says %j', (text, expected) => {
    const path = join(temporaryDirectory(), '1.exit');
    writeFileSync(path, text);
    expect(readRecord(path)).toEqual(expected);
  });

  it('that is not there, or is no file', () => {
    const path = join(temporaryDirectory(), '1.exit');
    expect(readRecord(path)).toEqual({ kind: 'absent' });
    mkdirSync(path);
    expect(readRecord(path)).toEqual({ kind: 'absent' });
  });
});
