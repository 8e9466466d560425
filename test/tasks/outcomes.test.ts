import { join } from 'node:path';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  bench,
  command,
  isRoot,
  lives,
  programs,
  shell,
  surroundings,
  temporaryDirectory,
  until,
} from './harness.ts';

const timeOut = { kind: 'timed_out', after: 2000 } as const;

describe('the outcome of a process', () => {
  it.each([
    ['exit 0', { kind: 'succeeded', exitCode: 0 }],
    ['exit 7', { kind: 'failed', exitCode: 7 }],
    ['exit 127', { kind: 'failed', exitCode: 127 }],
    ['nosuchcommand', { kind: 'failed', exitCode: 127 }],
    ['exit 137', { kind: 'failed', exitCode: 137 }],
    ['exit 143', { kind: 'failed', exitCode: 143 }],
    ['exit 255', { kind: 'failed', exitCode: 255 }],
    ['kill -KILL $$', { kind: 'killed', signal: 'SIGKILL' }],
    ['kill -TERM $$', { kind: 'killed', signal: 'SIGTERM' }],
    ['kill -INT $$', { kind: 'killed', signal: 'SIGINT' }],
    ['kill -SEGV $$', { kind: 'killed', signal: 'SIGSEGV' }],
    ['kill -PIPE $$', { kind: 'killed', signal: 'SIGPIPE' }],
  ])('%s', async (script, expected) => {
    const attempt = bench().start(shell(script));
    expect(await attempt.outcome).toMatchObject(expected);
    expect(attempt.reports.map((report) => report.kind)).toEqual(['started', 'ended']);
    const { number } = /(?<number>\d+)\n$/u.exec(readFileSync(`${attempt.base}.exit`, 'utf8'))?.groups ?? {};
    expect(number, 'the exit record').toBeDefined();
  });

  it('succeeds with any code the job calls a success', async () => {
    expect(await bench().start(shell('exit 3', { successExitCodes: [0, 3] })).outcome).toEqual({
      kind: 'succeeded',
      exitCode: 3,
    });
  });

  it('guesses at memory when something else killed it (F57)', async () => {
    expect(await bench().start(shell('kill -KILL $$')).outcome).toHaveProperty(
      'hint',
      expect.stringContaining('memory'),
    );
  });

  it('keeps output and record to the owner', async () => {
    const attempt = bench().start(shell('echo hello'));
    await attempt.outcome;
    expect(attempt.log()).toBe('hello\n');
    for (const file of ['log', 'exit']) expect(statSync(`${attempt.base}.${file}`).mode & 0o777).toBe(0o600);
    expect(statSync(join(attempt.base, '..')).mode & 0o777).toBe(0o700);
  });
});

describe('what cannot be started (F56)', () => {
  const { uid } = statSync(programs);
  it.each([
    ['a missing command', ['nosuchcommand'], {}, /There is no command "nosuchcommand" in the PATH/u],
    ['a missing file', ['/nosuch/file'], {}, /There is no file \/nosuch\/file/u],
    ['a relative missing file', ['./nosuchfile'], {}, /There is no file \/nosuchfile/u],
    ['a directory', ['/'], {}, /is a directory/u],
    ['a file that is not executable', [join(programs, 'not-executable')], {}, /not executable: chmod/u],
    [
      'a missing interpreter',
      [join(programs, 'bad-interpreter')],
      {},
      /The interpreter of .*bad-interpreter, \/nonexistent\/interpreter, does not exist/u,
    ],
    ['a missing directory', ['true'], { cwd: '/nosuch' }, /The working directory \/nosuch does not exist/u],
    [
      'a file as directory',
      ['true'],
      { cwd: '/etc/passwd' },
      /The working directory \/etc\/passwd is not a directory/u,
    ],
    ['an argument too long', ['true', 'x'.repeat(140_000)], {}, /too long: 140000 bytes/u],
    ['a NUL', ['echo', 'a\0b'], {}, /NUL/u],
    ['an impossible variable', ['true'], { env: { 'A=B': '1' } }, /environment variable "A=B"/u],
    ['a missing user', ['true'], { user: 'nosuchuser' }, isRoot ? /no user "nosuchuser"/u : /run by root/u],
    [
      'a missing group',
      ['true'],
      { user: 'root', group: 'nosuchgroup' },
      isRoot ? /no group "nosuchgroup"/u : /run by root/u,
    ],
  ])('%s', async (_, argv, around, message) => {
    expect(uid).toBeDefined();
    const outcome = await bench().start(command(argv, surroundings(around))).outcome;
    expect(outcome).toEqual({ kind: 'not_started', message: expect.stringMatching(message) });
  });

  it('says so of a shell, too', async () => {
    const task = { kind: 'run', script: 'true', shell: ['/nosuch/shell', '-c'] } as const;
    expect(await bench().start({ task }).outcome).toMatchObject({
      kind: 'not_started',
      message: 'There is no file /nosuch/shell.',
    });
  });

  it('says what is wrong when something stands between it and the process', async () => {
    const around = surroundings({ nice: 5 });
    const { start } = bench();
    expect(await start(command(['nosuchcommand'], around)).outcome).toMatchObject({ kind: 'not_started' });
    expect(await start(shell('exit 127', around)).outcome).toMatchObject({ kind: 'failed', exitCode: 127 });
    expect(await start(shell('kill -KILL $$', around)).outcome).toMatchObject({ kind: 'killed' });
    expect(await start(shell('true', surroundings({ nice: 5, cwd: '/nosuch' }))).outcome).toMatchObject({
      kind: 'not_started',
      message: 'The working directory /nosuch does not exist.',
    });
  });
});

describe('stopping', () => {
  it('asks with the signal and takes the first reason', async () => {
    const attempt = bench().start(command([join(programs, 'minds-term.sh')]));
    await until('its word', () => attempt.log().includes('ready'));
    attempt.handle.stop({ kind: 'cancelled', by: 'operator' });
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual({ kind: 'cancelled', by: 'operator' });
    expect(attempt.log()).toContain('bye');
  });

  it('kills what ignores the signal (F46)', async () => {
    const attempt = bench().start(command([join(programs, 'ignores-term.sh')], { killAfter: 100 }));
    const pid = await attempt.started;
    await until('its word', () => attempt.log().includes('ready'));
    process.kill(pid, 'SIGTERM');
    expect(lives(pid), 'it ignores TERM').toBe(true);
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual(timeOut);
    expect(lives(pid)).toBe(false);
  });

  it('leaves neither children nor grandchildren (F47)', async () => {
    const attempt = bench().start(command([join(programs, 'family.sh')]));
    const family = [await attempt.number('grandchild'), await attempt.number('child'), await attempt.started];
    expect(family.map(lives)).toEqual([true, true, true]);
    attempt.handle.stop(timeOut);
    await attempt.outcome;
    expect(family.map(lives)).toEqual([false, false, false]);
  });

  it('ends what was stopped (F59)', async () => {
    const attempt = bench().start(command([join(programs, 'stops-itself.sh')], { killAfter: 100 }));
    const pid = await attempt.number('ready');
    await until('the stop', () => /\) T/u.test(readFileSync(`/proc/${pid}/stat`, 'latin1')));
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual(timeOut);
    expect(lives(pid)).toBe(false);
  });

  it('is not misled by a process that stops and goes on', async () => {
    const attempt = bench().start(command([join(programs, 'stops-itself.sh')]));
    const pid = await attempt.number('ready');
    await until('the stop', () => /\) T/u.test(readFileSync(`/proc/${pid}/stat`, 'latin1')));
    await attempt.started;
    expect(attempt.reports).toHaveLength(1);
    process.kill(pid, 'SIGCONT');
    expect(await attempt.outcome).toEqual({ kind: 'succeeded', exitCode: 0 });
  });

  it('kills at once when told to, even before the start', async () => {
    const attempt = bench().start(command([join(programs, 'ignores-term.sh')]));
    attempt.handle.kill({ kind: 'cancelled', by: 'shutdown' });
    expect(await attempt.outcome).toEqual({ kind: 'cancelled', by: 'shutdown' });
    expect(lives(await attempt.started)).toBe(false);
  });

  it('sends the signal that the job wants', async () => {
    const attempt = bench().start(
      shell('trap "echo int; exit 4" INT; echo ready; while :; do sleep 0.05; done', { killSignal: 'INT' }),
    );
    await until('its word', () => attempt.log().includes('ready'));
    attempt.handle.stop(timeOut);
    expect(await attempt.outcome).toEqual(timeOut);
    expect(attempt.log()).toContain('int');
  });
});

describe('processes left running', () => {
  it('in the group are ended before the attempt is', async () => {
    const attempt = bench().start(command([join(programs, 'leaves-one-behind.sh')]));
    const left = await attempt.number('left');
    expect(await attempt.outcome).toEqual({ kind: 'succeeded', exitCode: 0 });
    expect(lives(left)).toBe(false);
  });

  it('outside it, with the output still open, do not hold the attempt (F48, F49)', async () => {
    const { start, runsDirectory } = bench();
    const log = join(runsDirectory, 'f48', 'attempt-1.log');
    const attempt = start(command([join(programs, 'daemonises.sh'), log], { runId: 'f48' }));
    const daemon = await attempt.number('daemon');
    try {
      expect(await attempt.outcome).toEqual({ kind: 'succeeded', exitCode: 0 });
      expect(lives(daemon)).toBe(true);
    } finally {
      process.kill(daemon, 'SIGKILL');
    }
  });
});

describe('surroundings', () => {
  it('has nothing on standard input unless the job gives it something (F58)', async () => {
    const { start } = bench();
    const attempt = start(shell('cat; echo end'));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    expect(attempt.log()).toBe('end\n');
    const unread = start(shell('exit 0', surroundings({ stdin: 'x'.repeat(1_000_000) })));
    expect(await unread.outcome).toMatchObject({ kind: 'succeeded' });
  });

  it('sets umask, priority and limits', async () => {
    const script = 'umask; nice; ulimit -t; ulimit -n; ulimit -f; ulimit -v; ulimit -c';
    const limits = { cpu: 100, open_files: 50, file_size: 1_048_576, memory: 2 ** 30, core: 0 };
    const attempt = bench().start(shell(script, surroundings({ umask: 0o027, nice: 5, limits })));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    expect(attempt.log().split('\n')).toEqual([
      '0027',
      '5',
      '100',
      '50',
      expect.stringMatching(/^(?:1024|2048)$/u),
      '1048576',
      '0',
      '',
    ]);
  });

  it('makes a limit felt', async () => {
    const attempt = bench().start(shell('while :; do :; done', surroundings({ limits: { cpu: 1 } })));
    expect(await attempt.outcome).toMatchObject({ kind: 'killed' });
  });

  it.runIf(isRoot)('becomes the user, with all groups, home and name', async () => {
    const script = 'id -un; id -Gn; echo $HOME $USER $LOGNAME; cat';
    const attempt = bench().start(shell(script, surroundings({ user: 'nobody', stdin: 'secret' })));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    expect(attempt.log()).toMatch(/^nobody\n\S+.*\n\/\S+ nobody nobody\nsecret$/u);
  });

  it.runIf(isRoot)('enters the directory as the user', async () => {
    const closed = temporaryDirectory();
    expect(existsSync(closed)).toBe(true);
    const outcome = await bench().start(shell('true', surroundings({ user: 'nobody', cwd: closed }))).outcome;
    expect(outcome).toEqual({
      kind: 'not_started',
      message: `The working directory ${closed} cannot be entered as user nobody.`,
    });
  });

  it.runIf(isRoot)('takes a group without a user', async () => {
    const attempt = bench().start(shell('id -u; id -gn', surroundings({ group: 'daemon' })));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    expect(attempt.log()).toBe('0\ndaemon\n');
  });
});
