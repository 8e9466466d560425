import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRecord } from '../../src/tasks/exit-record.ts';
import { isRoot, later, lives, programs, temporaryDirectory, until } from './harness.ts';
import { launcher, shells } from './launcher.ts';

describe.each(shells)('under %s', (name, shell) => {
  it.each([
    ['exit 0', { kind: 'exited', exitCode: 0 }],
    ['exit 127', { kind: 'exited', exitCode: 127 }],
    ['exit 137', { kind: 'exited', exitCode: 137 }],
    ['exit 162', { kind: 'exited', exitCode: 162 }],
    ['kill -KILL $$', { kind: 'signalled', signal: 'SIGKILL' }],
    ['kill -TERM $$', { kind: 'signalled', signal: 'SIGTERM' }],
    ['kill -SEGV $$', { kind: 'signalled', signal: 'SIGSEGV' }],
  ])('tells codes from signals: %s', async (script, expected) => {
    const { launch } = launcher(shell);
    const { end, base } = launch(script);
    expect(await end).toEqual(expected);
    expect(readRecord(`${base}.exit`)).toEqual(expected);
  });

  it('gives each process a group of its own, and nothing else of its own', async () => {
    const { launch } = launcher(shell);
    // Without a pipe: while it is set up the shell has an end of it.
    const { pid, end, base } = launch('ls /proc/$$/fd; umask; ulimit -n; exec cat /proc/self/stat');
    await end;
    const text = readFileSync(`${base}.log`, 'utf8');
    const group = text.slice(text.lastIndexOf(')') + 2).split(' ')[2];
    expect(Number(group)).toBe(await pid);
    expect(text).toMatch(/^0\n1\n2\n(?:\d\d+\n)*\d{4}\n/u);
  });

  it('says why it did not start', async () => {
    const { launch } = launcher(shell);
    expect(await launch('true', { cwd: '/nosuch' }).end).toMatchObject({
      kind: 'not_started',
      message: 'The working directory /nosuch does not exist.',
    });
    expect(await launch('', { argv: ['nosuchcommand'] }).end).toMatchObject({ kind: 'not_started' });
    expect(await launch('', { argv: [join(programs, 'bad-interpreter')] }).end).toMatchObject({
      kind: 'not_started',
    });
  });

  it('carries any text', async () => {
    const { launch } = launcher(shell);
    const text = ` a\n\n+b\\\n"'$(false)\`\n -n \u0001\u007Fü\n`;
    const { end, base } = launch('', { argv: ['printf', '%s', text] });
    expect(await end).toEqual({ kind: 'exited', exitCode: 0 });
    expect(readFileSync(`${base}.log`, 'utf8')).toBe(text);
  });

  it('starts 200 at once', async () => {
    const { launch } = launcher(shell);
    const ends = await Promise.all(
      Array.from({ length: 200 }, (_, index) => launch(`exit ${index % 100}`).end),
    );
    expect(ends).toEqual(
      Array.from({ length: 200 }, (_, index) => ({ kind: 'exited', exitCode: index % 100 })),
    );
  });

  it('leaves no zombies', async () => {
    const { launch, spawner } = launcher(shell);
    await Promise.all(Array.from({ length: 20 }, () => launch('true').end));
    const shellId = spawner.pid ?? 0;
    await until('the last to be reaped', () => childrenOf(shellId).length === 0);
    expect(childrenOf(shellId)).toEqual([]);
  });

  it('outlives that the system refuses another process for a while (F42)', async () => {
    const { launch, spawner } = launcher(shell);
    await launch('true').end;
    const fault = await refuseForks(spawner.pid ?? 0, 'when=1');
    const end = await launch('true').end;
    expect(fault.happened()).toBe(true);
    // Perl and bash try again, the others give up.
    const refused = { kind: 'not_started', message: expect.stringContaining('refused another process') };
    expect(end).toEqual(['perl', 'bash'].includes(name) ? { kind: 'exited', exitCode: 0 } : refused);
    expect(await launch('exit 3').end).toEqual({ kind: 'exited', exitCode: 3 });
  });
});

it.runIf(shells.some(([name]) => name === 'perl'))(
  'under perl, a process hears a signal from its first moment on',
  async () => {
    const { launch } = launcher(['perl']);
    const all = Array.from({ length: 200 }, () => launch('', { argv: ['sleep', '3600'] }));
    for (const { pid } of all) void pid.then((id) => process.kill(-id, 'SIGTERM'));
    const ends = await Promise.all(all.map(({ end }) => end));
    expect(ends).toEqual(all.map(() => ({ kind: 'signalled', signal: 'SIGTERM' })));
  },
);

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(?<id>\d+)$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.groups?.['id']);
}

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return []; // just closed, as by a loader of libraries
    }
  });
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
}

/** Makes forks of a process fail with EAGAIN, those that strace's `when` names. */
async function refuseForks(pid: number, when: string): Promise<{ happened(): boolean }> {
  const log = join(temporaryDirectory(), 'strace');
  const calls = 'clone,clone3,fork,vfork';
  const inject = `inject=${calls}:error=EAGAIN:${when}`;
  const strace = spawn('strace', ['-o', log, '-e', `trace=${calls}`, '-e', inject, '-p', String(pid)], {
    stdio: 'ignore',
  });
  later(() => void strace.kill());
  await until('strace', () => /^TracerPid:\s+[1-9]/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
  return { happened: () => /EAGAIN.*\(INJECTED\)/u.test(readFileSync(log, 'utf8')) };
}

describe.each(shells)('when a spawner that is %s dies', (_, shell) => {
  it('what runs goes on and is heard of, and what comes is started by another', async () => {
    const { launch, spawner, directory } = launcher(shell);
    const running = launch(`echo ready; while [ ! -e ${directory}/go ]; do sleep 0.02; done; exit 5`);
    await running.pid;
    const dead = spawner.pid ?? 0;
    process.kill(dead, 'SIGKILL');
    await until('its death', () => !lives(dead));
    const next = launch('exit 6');
    expect(await next.end).toEqual({ kind: 'exited', exitCode: 6 });
    expect(spawner.pid).not.toBe(dead);
    writeFileSync(`${directory}/go`, '');
    expect(await running.end).toEqual({ kind: 'exited', exitCode: 5 });
  });

  it('nothing is started twice, and nothing is silently forgotten', async () => {
    const { launch, spawner, directory } = launcher(shell);
    const all = Array.from({ length: 100 }, (_, index) => launch(`echo ${index} >>${directory}/starts`));
    await all[10]?.pid;
    process.kill(spawner.pid ?? 0, 'SIGKILL');
    const ends = await Promise.all(all.map((each) => each.end));
    const starts = readFileSync(`${directory}/starts`, 'utf8').trim().split('\n');
    expect(new Set(starts).size).toBe(starts.length);
    const lost = ends.filter((end) => end.kind === 'lost');
    expect(lost.length).toBeLessThanOrEqual(1);
    expect(starts.length).toBeGreaterThanOrEqual(100 - lost.length);
  });

  it('again and again, that costs the runs in line nothing', async () => {
    const { launch, spawner } = launcher(shell);
    const deaths = new Set<number>();
    const waves: ReturnType<typeof launch>[][] = [];
    for (let round = 0; round < 4; round += 1) {
      const wave = Array.from({ length: 50 }, () => launch('true'));
      waves.push(wave);
      await until('a word of it', () => wave[5 * round]?.events.length !== 0);
      const shellId = spawner.pid ?? 0;
      process.kill(shellId, 'SIGKILL');
      deaths.add(shellId);
      await until('its death', () => spawner.pid !== shellId);
    }
    const ends = await Promise.all(waves.flat().map((each) => each.end));
    expect(deaths.size).toBe(4); // the fault
    expect(ends.filter(({ kind }) => kind !== 'exited')).toEqual([]);
  });

  it('and the system has not what another would need, that is an outcome, and passes', async () => {
    const environment: Record<string, string | undefined> = { ...process.env };
    const { launch, spawner } = launcher(shell, environment);
    const dead = spawner.pid ?? 0;
    process.kill(dead, 'SIGKILL');
    await until('its death', () => spawner.pid === undefined);
    environment['HUGE'] = 'x'.repeat(200_000);
    const message = expect.stringContaining('E2BIG'); // thrown, as ENOMEM is
    expect(await launch('true').end).toEqual({ kind: 'not_started', message });
    delete environment['HUGE'];
    expect(await launch('exit 6').end).toEqual({ kind: 'exited', exitCode: 6 });
  });

  it('a run whose watcher was killed too is lost, once it has ended', async () => {
    const { launch, spawner } = launcher(shell);
    const running = launch('exec sleep 600');
    const pid = await running.pid;
    const watcher = parentOf(pid);
    expect(watcher).not.toBe(spawner.pid);
    process.kill(watcher, 'SIGKILL');
    await until('its death', () => !lives(watcher));
    process.kill(pid, 'SIGKILL');
    expect(await running.end).toMatchObject({ kind: 'lost' });
  });
});

it('one that hangs before it is started does not hold up those asked for together with it', async () => {
  const { launch, directory } = launcher();
  const stdinPath = join(directory, 'fifo');
  expect(spawnSync('mkfifo', [stdinPath]).status).toBe(0);
  const before = launch('exit 1');
  const hangs = launch('exit 2', { stdinPath }); // until somebody opens the other end
  const after = [launch('exit 3'), launch('exit 4')];
  expect(await Promise.all(after.map(({ end }) => end))).toEqual([
    { kind: 'exited', exitCode: 3 },
    { kind: 'exited', exitCode: 4 },
  ]);
  expect(hangs.events.filter(({ kind }) => kind !== 'started')).toEqual([]); // the fault
  writeFileSync(stdinPath, '');
  expect(await hangs.end).toEqual({ kind: 'exited', exitCode: 2 });
  expect(await before.end).toEqual({ kind: 'exited', exitCode: 1 });
  for (const { events } of [before, hangs, ...after])
    expect(events.map(({ kind }) => kind)).toEqual(['started', 'exited']);
});

it('a watcher killed before it has started all it was to start costs the others nothing', async () => {
  const { launch, spawner, directory } = launcher(['perl']);
  const stdinPath = join(directory, 'fifo');
  expect(spawnSync('mkfifo', [stdinPath]).status).toBe(0);
  const hangs = launch('exit 2', { stdinPath });
  const after = launch('exit 3');
  await until('its turn', () => existsSync(`${hangs.base}.exit`));
  const [watcher] = childrenOf(spawner.pid ?? 0);
  process.kill(Number(watcher), 'SIGKILL');
  expect(existsSync(`${after.base}.exit`)).toBe(false); // the fault
  expect(await after.end).toEqual({ kind: 'exited', exitCode: 3 });
  expect(await hangs.end).toMatchObject({ kind: 'lost' });
});

describe('when the daemon dies', () => {
  it('what runs goes on, and its end is on record', async () => {
    const directory = temporaryDirectory();
    const script = `echo "ready $$"; while [ ! -e ${directory}/go ]; do sleep 0.02; done; echo more; exit 5`;
    const daemon = spawn(process.execPath, [join(programs, 'daemon.ts'), directory, script], {
      stdio: 'ignore',
    });
    const log = join(directory, 'r/attempt-1.log');
    await until('its word', () => existsSync(log) && readFileSync(log, 'utf8').includes('ready'));
    daemon.kill('SIGKILL');
    await until('the death of the daemon', () => daemon.signalCode !== null);
    writeFileSync(`${directory}/go`, '');
    const exitPath = join(directory, 'r/attempt-1.exit');
    await until('the record', () => readRecord(exitPath).kind === 'exited');
    expect(readRecord(exitPath)).toEqual({ kind: 'exited', exitCode: 5 });
    expect(readFileSync(log, 'utf8')).toMatch(/more\n$/u);
  });
});

describe.each(shells)('descriptors, under %s,', (_, shell) => {
  it('of the daemon are held by nothing that outlives it', async () => {
    const { launch, spawner } = launcher(shell);
    const running = launch('exec sleep 600');
    const pid = await running.pid;
    const names = [1, 2].map((descriptor) => readlinkSync(`/proc/self/fd/${descriptor}`));
    const own = new Set(names.filter((name) => name.includes(':')));
    // Not before its exec, which closes what a shell keeps open for itself.
    await until('its exec', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
    const held = [spawner.pid ?? 0, parentOf(pid), pid].flatMap(openFiles);
    expect(held.filter((name) => own.has(name))).toEqual([]);
    process.kill(pid, 'SIGKILL');
    await running.end;
  });

  it('run out without harm (F40)', async () => {
    const directory = temporaryDirectory();
    const daemon = spawn(
      'prlimit',
      ['--nofile=64:64', process.execPath, join(programs, 'out-of-descriptors.ts'), directory],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let said = '';
    daemon.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until('its end', () => daemon.exitCode !== null && said.endsWith('\n'));
    expect(JSON.parse(said)).toEqual({
      error: 'EMFILE',
      withSpawner: { kind: 'succeeded', exitCode: 0 },
      withoutSpawner: { kind: 'not_started', message: expect.stringContaining('EMFILE') },
      afterwards: { kind: 'succeeded', exitCode: 0 },
    });
  });

  it('do not leak', async () => {
    const { launch, spawner } = launcher(shell);
    const count = (): number =>
      readdirSync(`/proc/${spawner.pid}/fd`).length + readdirSync('/proc/self/fd').length;
    await launch('true').end;
    const before = count();
    for (let round = 0; round < 5; round += 1)
      await Promise.all(Array.from({ length: 40 }, () => launch('true').end));
    expect(count()).toBeLessThanOrEqual(before + 2);
  });
});

it('what perl would obey is for the jobs', async () => {
  const { launch, spawner } = launcher(['perl'], { ...process.env, PERL5OPT: '-Mnosuch::module' });
  const { end, base } = launch('echo $PERL5OPT');
  expect(await end).toEqual({ kind: 'exited', exitCode: 0 });
  expect(readFileSync(`${base}.log`, 'utf8')).toBe('-Mnosuch::module\n');
  expect(readlinkSync(`/proc/${spawner.pid}/exe`)).toContain('perl');
});

it('a perl that does not work is done without', async () => {
  const { launch, spawner } = launcher(['perl', '-Mnosuch::module']);
  const first = spawner.pid;
  expect(await launch('exit 3').end).toEqual({ kind: 'exited', exitCode: 3 });
  expect(readlinkSync(`/proc/${spawner.pid}/exe`)).not.toContain('perl');
  expect(spawner.pid).not.toBe(first);
});

it.each(shells)('close ends even a shell that was stopped: %s', async (_, shell) => {
  const { launch, spawner } = launcher(shell);
  await launch('true').end;
  const shellId = spawner.pid ?? 0;
  process.kill(shellId, 'SIGSTOP');
  await spawner.close();
  expect(lives(shellId)).toBe(false);
});

it.each(shells)('close ends the shell and leaves what runs: %s', async (_, shell) => {
  const { launch, spawner } = launcher(shell);
  const running = launch('exec sleep 600');
  const pid = await running.pid;
  const shellId = spawner.pid ?? 0;
  await spawner.close();
  expect(lives(shellId)).toBe(false);
  expect(lives(pid)).toBe(true);
  await until('its exec', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
  process.kill(pid, 'SIGKILL');
  expect(isRoot).toBeDefined();
  await until('the record', () => readRecord(`${running.base}.exit`).kind === 'signalled');
});
