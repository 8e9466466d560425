/** The commands that ask a running daemon: real processes over a real socket. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { infoOf, portOf, startAsked } from '../http/support.ts';
import { until, type Daemon, type Later } from '../support/daemon.ts';
import { bin, directory, plainEnvironment, tsched, type Ran } from './tsched.ts';

const never = 'cron: "0 0 1 1 *"';
const jobs = (extra = '') => `
jobs:
  hello:
    ${never}
    timezone: Europe/Berlin
    run: echo "$TSCHED_WITH"; echo "$TSCHED_WITH_NAME"; printf 'bell\\007\\n'
  fails: { ${never}, run: "echo no >&2; exit 3" }
  slow: { ${never}, run: "sleep 60", timeout: 300ms }
  killed: { ${never}, run: "kill -9 $$" }
  missing: { ${never}, command: [./not-there] }
  waits:
    ${never}
    run: touch begun; while [ ! -e go ]; do sleep 0.05; done; echo done
    overlap: allow
  often: { ${never}, run: "sleep 60" }
  declared: { ${never}, run: 'echo "$TSCHED_PARAM_DAY $TSCHED_PARAM_N"', params: { day: string, n: integer } }
${extra}`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Runs `tsched` against the daemon's state directory. */
function against(daemon: Daemon, env: Readonly<Record<string, string>> = {}): (...args: string[]) => Ran {
  return (...args) =>
    tsched(args, { cwd: daemon.directory, env: { TSCHED_STATE_DIR: daemon.stateDirectory, ...env } });
}

/** Begins `tsched` and goes on. */
function beginning(daemon: Daemon, ...args: string[]) {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: daemon.directory,
    env: { ...plainEnvironment(), TSCHED_STATE_DIR: daemon.stateDirectory },
  });
  const said = { out: '', err: '', code: undefined as number | null | undefined };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  child.on('close', (code) => (said.code = code));
  later(() => void child.kill('SIGKILL'));
  return { child, said, end: () => until(`the end of ${args.join(' ')}`, () => said.code !== undefined) };
}

const parsed = ({ out }: Ran): ReturnType<JSON['parse']> => JSON.parse(out);

describe('a daemon', () => {
  let daemon: Daemon;
  let ask: (...args: string[]) => Ran;
  beforeAll(async () => {
    daemon = await startAsked({ jobs: jobs(), args: ['--no-watch'], later });
    ask = against(daemon);
  });

  it('takes what the job declares as it is written, and names what does not fit', () => {
    const { code, out } = ask('trigger', 'declared', '--with', 'day=0080', '--with', 'n=3', '--wait');
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('0080 3\n') });
    const bad = ask('trigger', 'declared', '--with', 'n=three', '--with', 'dday=1');
    expect(bad.code).toBe(64);
    expect(bad.err).toContain('"n" takes a whole number, not "three"; there is no parameter "dday"');
  });

  it('runs a job when asked, with what it is given', () => {
    const { code, out, err } = ask('trigger', 'hello', '--with', 'name=Zoë', '--with', 'n=3', '--wait');
    expect({ code, out }).toEqual({ code: 0, out: '{"name":"Zoë","n":3}\nZoë\nbell\\x07\n' });
    expect(err).toMatch(/^▶ hello, run [-0-9a-f]{36}\n✔ hello succeeded after \S+\n$/);
  });

  it('tells a begun run in words and as JSON', () => {
    const { code, out } = ask('trigger', 'hello');
    expect(code).toBe(0);
    const [, id = ''] = /^run ([-0-9a-f]{36}) of hello has begun {3}tsched logs \1 -f\n$/.exec(out) ?? [];
    expect(id).not.toBe('');
    const run = parsed(ask('trigger', 'hello', '--json'));
    expect(run).toMatchObject({ jobId: 'hello', cause: 'manual' });
    const over = parsed(ask('trigger', 'fails', '--json', '--wait'));
    expect(over).toMatchObject({ state: 'finished', outcome: { kind: 'failed', exitCode: 3 } });
  });

  it.each([
    ['fails', 3, 'no\n', /✖ fails failed with exit code 3/],
    ['slow', 124, '', /✖ slow timed out after 300ms\n/],
    ['killed', 137, '', /✖ killed killed by SIGKILL/],
    ['missing', 127, '', /✖ missing not started: There is no /],
  ])('%s, waited for, ends as run-once does: with %i', (job, code, out, err) => {
    const ran = ask('trigger', job, '--wait');
    expect(ran).toMatchObject({ code, out });
    expect(ran.err).toMatch(err);
  });

  it.each([
    [['--with', 'name'], '--with takes name=value, not "name"'],
    [['--with', '1a=2'], '"with" takes names of letters'],
    [['--with', `a=${'x'.repeat(40_000)}`], '"with" takes at most'],
    [['--with', `a=${'['.repeat(40)}${']'.repeat(40)}`], 'nested at most'],
  ])('does not take %j', (options, words) => {
    const { code, err } = ask('trigger', 'hello', ...options);
    expect({ code, err }).toMatchObject({ code: 64, err: expect.stringContaining(words) });
  });

  it('knows which job was meant, and shows none that could do harm', () => {
    for (const command of ['trigger', 'pause', 'resume', 'cancel']) {
      const { code, err } = ask(command, 'helo');
      expect({ command, code, err }).toMatchObject({
        code: 64,
        err: expect.stringContaining('did you mean "hello"?'),
      });
      const hostile = ask(command, '../\u001b[2J\r\n%2e');
      expect({ command, code: hostile.code }).toEqual({ command, code: 64 });
      expect(hostile.err).toContain('../\\x1b[2J\\x0d\\n%2e');
      expect(hostile.err).not.toContain('\u001b[2J');
    }
  });

  it('cancels a run by the beginning of its id, and all runs of a job', async () => {
    const first = parsed(ask('trigger', 'often', '--json'));
    const second = parsed(ask('trigger', 'often', '--json'));
    const waiting = beginning(daemon, 'trigger', 'often', '--wait');
    await until('the third run', () => /run ([-0-9a-f]{36})/.exec(waiting.said.err)?.[1]);
    const shortest = [...first.id].findIndex((char, at) => char !== second.id[at]) + 1;
    const one = ask('cancel', first.id.slice(0, Math.max(shortest, 13)).toUpperCase());
    expect(one).toMatchObject({ code: 0, out: `run ${first.id} of often was asked to end\n` });
    await daemon.waitFor('its end', (line) => line.event === 'run_finished' && line.run === first.id);
    const { runs } = parsed(ask('cancel', 'often', '--json'));
    expect(runs.map(({ id }: { id: string }) => id)).toContain(second.id);
    await waiting.end();
    expect(waiting.said).toMatchObject({ code: 143 });
    await daemon.waitFor('its end', (line) => line.event === 'run_finished' && line.run === second.id);
    expect(ask('cancel', first.id)).toMatchObject({ code: 1, err: 'tsched: this run is over\n' });
    expect(ask('cancel', 'often')).toMatchObject({ code: 1, err: 'tsched: no run of often is active\n' });
    expect(ask('cancel', first.id.slice(0, 4))).toMatchObject({ code: 64 });
    expect(ask('cancel', first.id.slice(0, 4)).err).toContain('several runs begin with');
    expect(ask('cancel', 'ffffffff')).toMatchObject({ code: 64 });
  });

  it('runs again what has run, with what that was given', () => {
    const { id } = parsed(ask('trigger', 'hello', '--with', 'name=again', '--wait', '--json'));
    const again = ask('retry', id, '--wait');
    expect(again).toMatchObject({ code: 0, out: '{"name":"again"}\nagain\nbell\\x07\n' });
    const { id: other } = parsed(ask('retry', id, '--json'));
    expect(other).not.toBe(id);
    expect(ask('retry', 'hello')).toMatchObject({ code: 64 });
  });

  it('does not run again what is not over', async () => {
    const { id } = parsed(ask('trigger', 'waits', '--json'));
    expect(ask('retry', id)).toMatchObject({
      code: 1,
      err: 'tsched: this run is not over; cancel it first\n',
    });
    writeFileSync(join(daemon.directory, 'go'), '');
    await daemon.waitFor('its end', (line) => line.event === 'run_finished' && line.run === id);
  });

  it('pauses and resumes jobs, all or none', () => {
    expect(ask('pause', 'hello', 'nobody')).toMatchObject({ code: 64, out: '' });
    const { jobs: none } = parsed(ask('resume', 'hello', '--json'));
    expect(none).toMatchObject([{ id: 'hello', state: 'scheduled', pause: null }]);
    const paused = ask('pause', 'hello', 'fails', '--for', '2h', '--reason', 'disks \u001b[31m\nx');
    expect(paused.out).toMatch(
      /^hello is paused until .* \(in (?:2h|1h 59m)\): disks \\x1b\[31m\\nx\nfails is paused until /,
    );
    const [job] = parsed(ask('pause', 'hello', '--until', '2999-01-01T02:00', '--json')).jobs;
    expect(job).toMatchObject({
      id: 'hello',
      state: 'paused',
      pause: { until: '2999-01-01T01:00:00Z', reason: null },
    });
    expect(ask('pause', 'hello', '--until', '2001-01-01')).toMatchObject({ code: 64 });
    expect(ask('pause', 'hello', '--until', 'soon')).toMatchObject({ code: 64 });
    expect(ask('pause', 'hello', '--for', '1h', '--until', '2999-01-01')).toMatchObject({ code: 64 });
    expect(ask('resume', 'hello', 'fails').out).toMatch(
      /^hello is resumed; next .*\nfails is resumed; next /,
    );
    expect(ask('resume', 'hello').out).toMatch(/^hello was not paused; next /);
  });

  it('tells two who ask at once the same', async () => {
    const two = [beginning(daemon, 'pause', 'slow', '--json'), beginning(daemon, 'pause', 'slow', '--json')];
    for (const { end } of two) await end();
    for (const { said } of two) {
      expect(said.code).toBe(0);
      expect(JSON.parse(said.out).jobs).toMatchObject([{ id: 'slow', state: 'paused' }]);
    }
    ask('resume', 'slow');
  });
});

describe('reload', () => {
  it('tells what changes, changes it, and tells what is wrong', async () => {
    const daemon = await startAsked({ jobs: jobs(), args: ['--no-watch'], later });
    const ask = against(daemon);
    const { id } = parsed(ask('trigger', 'often', '--json'));
    await daemon.waitFor('its start', (line) => line.event === 'attempt_started' && line.run === id);
    expect(ask('reload')).toMatchObject({ code: 0, out: 'jobs.yaml: nothing has changed.\n' });
    const next = jobs('  xmas: { at: 2999-12-24T18:00, run: sing }\n')
      .replace('sleep 60" }', 'sleep 61" }')
      .replace('"sleep 60", timeout: 300ms', '"sleep 60", timeout: 400ms')
      .replace(`fails: { ${never}`, 'fails: { every: 1h')
      .replace('killed:', 'slain:');
    writeFileSync(daemon.file, next);
    const told = [
      'jobs.yaml: 2 added (slain, xmas), 2 changed (slow, often), 1 rescheduled (fails), 1 removed (killed), 4 unchanged.',
      '  changed      slow   (timeout)',
      '  changed      often  (run)',
      '  rescheduled  fails  (cron, every, anchor)',
      `often is running (run ${id}): the change would apply from its next run.`,
      'Nothing was applied: tsched reload does.',
      '',
    ].join('\n');
    expect(ask('reload', '--dry-run')).toMatchObject({ code: 0, out: told });
    expect(parsed(ask('reload', '--dry-run', '--json'))).toMatchObject({
      kind: 'planned',
      removed: ['killed'],
    });
    const done = parsed(ask('reload', '--json'));
    expect(done).toMatchObject({
      kind: 'applied',
      rescheduled: ['fails'],
      activeRuns: [{ id }],
      changedKeys: { slow: ['timeout'], often: ['run'] },
    });
    expect(ask('trigger', 'slain', '--wait').code).toBe(137);

    writeFileSync(
      daemon.file,
      next.replace('sleep 61', '${SECRET').replace('timeout: 400ms', 'timeot: 400ms'),
    );
    for (const options of [[], ['--dry-run']]) {
      const { code, err } = ask('reload', ...options);
      expect(code).toBe(78);
      expect(err).toMatch(/:8:\d+: error: jobs\.slow\.timeot: unknown key "timeot"\n/);
      expect(err).toContain('^^^^^^ did you mean "timeout"?\n');
      expect(err).toMatch(/\ntsched: .*jobs.* stay|\ntsched: the job file has errors/);
    }
  });
});

describe('stopping', () => {
  it('waits for active runs, however long they take, and is over when another may start', async () => {
    const daemon = await startAsked({ jobs: jobs(), args: ['--drain', '1ms'], later });
    const ask = against(daemon);
    ask('trigger', 'waits');
    await daemon.until('it has begun', () => existsSync(join(daemon.directory, 'begun')));
    const drain = beginning(daemon, 'drain');
    await until('who is waited for', () => drain.said.err.includes('tsched: waiting for waits\n'));
    const refused = ask('trigger', 'hello');
    expect(refused).toMatchObject({ code: 69, err: 'tsched: tsched is stopping\n' });
    expect(ask('reload').code).toBe(69);
    writeFileSync(join(daemon.directory, 'go'), '');
    await drain.end();
    expect(drain.said).toMatchObject({ code: 0, out: `tsched (pid ${daemon.pid}) has stopped\n` });
    expect(drain.said.err).toMatch(/\ntsched: waits has ended \(run /);
    expect(daemon.events('run_finished', 'waits')).toMatchObject([{ outcome: 'succeeded' }]);
    expect(await daemon.end()).toBe(0);
  });

  it('now kills them', async () => {
    const daemon = await startAsked({ jobs: jobs(), later });
    const ask = against(daemon);
    ask('trigger', 'often');
    expect(parsed(ask('stop', '--now', '--json'))).toEqual({ stopped: true, pid: daemon.pid });
    expect(await daemon.end()).toBe(0);
    const { code, err } = ask('stop');
    expect({ code, err }).toMatchObject({
      code: 69,
      err: expect.stringContaining('no tsched is running at '),
    });
  });

  it.each([
    ['at once', ['--now'], '1h'],
    ['to the time that a stop takes', [], '100ms'],
  ])('cuts a drain short: %s', async (_, options, drains) => {
    const daemon = await startAsked({ jobs: jobs(), args: ['--drain', drains], later });
    const ask = against(daemon);
    ask('trigger', 'often');
    const drain = beginning(daemon, 'drain');
    await until('who is waited for', () => drain.said.err.includes('waiting for often'));
    expect(ask('stop', ...options).code).toBe(0);
    await drain.end();
    expect(drain.said.code).toBe(0);
  });
});

describe('a daemon that goes away', () => {
  it('in the middle of a wait is told, with how to go on', async () => {
    const daemon = await startAsked({ jobs: jobs(), later });
    const waiting = beginning(daemon, 'trigger', 'often', '--wait', '--reconnect', '500ms');
    const id = await until('the run', () => /run ([-0-9a-f]{36})/.exec(waiting.said.err)?.[1]);
    await daemon.waitFor('its start', (line) => line.event === 'attempt_started' && line.run === id);
    daemon.signal('SIGKILL');
    await waiting.end();
    expect(waiting.said.code).toBe(69);
    expect(waiting.said.err).toContain(`has gone away; what becomes of the run: tsched logs ${id} -f\n`);
  });

  it('and comes back is waited for, and for the run it takes over', async () => {
    const file = jobs(
      '  parts: { cron: "0 0 1 1 *", run: "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exit 3" }',
    );
    const daemon = await startAsked({ jobs: file, later });
    const waiting = beginning(daemon, 'trigger', 'parts', '--wait');
    await until('the first line', () => waiting.said.out === 'one\n');
    daemon.signal('SIGKILL');
    await daemon.exited;
    await until('word of it', () => /gone away; waiting up to 1m for it to come back/.test(waiting.said.err));
    const next = await startAsked({ directory: daemon.directory, later });
    await until('word of its return', () => waiting.said.err.includes('it is back'));
    writeFileSync(join(next.directory, 'go'), '');
    await waiting.end();
    expect(waiting.said).toMatchObject({ code: 3, out: 'one\ntwo\n' });
    expect(waiting.said.err).toMatch(/✖ parts failed with exit code 3/);
  });

  it('and comes back without the run is told apart from one that stays away', async () => {
    const daemon = await startAsked({ jobs: jobs(), args: ['--ephemeral'], later });
    const waiting = beginning(daemon, 'trigger', 'often', '--wait');
    await until('the run', () => waiting.said.err.includes('often, run '));
    daemon.signal('SIGKILL');
    await daemon.exited;
    await startAsked({ directory: daemon.directory, args: ['--ephemeral'], later });
    await waiting.end();
    expect(waiting.said.code).toBe(69);
    expect(waiting.said.err).toMatch(
      /the tsched that is here now knows nothing of run \S+; it was killed before/,
    );
  });

  it('before it answers is told', async () => {
    const socketPath = join(directory(), 'hangs-up.sock');
    const server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => void server.listen(socketPath, resolve));
    const asking = spawn(process.execPath, [bin, 'trigger', 'hello', '--socket', socketPath], {
      env: plainEnvironment(),
    });
    let err = '';
    asking.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const code = await new Promise((resolve) => void asking.on('close', resolve));
    server.close();
    expect({ code, err }).toEqual({ code: 69, err: `tsched: the tsched at ${socketPath} has gone away\n` });
  });

  it('or never was there, is said with what to do', () => {
    const { code, err } = tsched(['trigger', 'hello']);
    expect(code).toBe(69);
    expect(err).toMatch(
      /no tsched is running at \S+\/state\/tsched\.sock; start one: tsched start; or name its state/,
    );
    expect(tsched(['stop', '--url', 'ftp://x']).code).toBe(64);
    expect(tsched(['stop', '--url', 'http://127.0.0.1:1']).code).toBe(69);
  });
});

describe('over TCP', () => {
  it('does what the token may', async () => {
    const daemon = await startAsked({ jobs: jobs(), args: ['--listen', '127.0.0.1:0'], later });
    const { host, port } = portOf(daemon);
    const token = (scope: string): string =>
      against(daemon)('token', 'create', scope, '--scope', scope).out.trim();
    const url = `http://${host}:${port}`;
    // Before the first request: tokens are looked at again once a second.
    const run = { TSCHED_URL: url, TSCHED_TOKEN: token('run') };
    const admin = { TSCHED_TOKEN: token('admin') };
    const without = tsched(['trigger', 'hello', '--wait'], { env: { TSCHED_URL: url } });
    expect(without).toMatchObject({ code: 77, err: expect.stringContaining('there is no valid token') });
    expect(tsched(['trigger', 'hello', '--wait'], { env: run }).code).toBe(0);
    expect(tsched(['reload'], { env: run })).toMatchObject({
      code: 77,
      err: expect.stringContaining('scope admin'),
    });
    const reloaded = tsched(['reload', '--url', url], { env: admin });
    expect(reloaded).toMatchObject({ code: 0, out: `${daemon.file}: nothing has changed.\n` });
    expect(tsched(['stop', '--url', url], { env: admin })).toMatchObject({ code: 0 });
    expect(await daemon.end()).toBe(0);
    expect(infoOf(daemon).listen).toBe(`${host}:${port}`);
    expect(readFileSync(daemon.file, 'utf8')).toBe(jobs());
  });
});
