/** Where the API is, who can get there, and what is refused before anything runs. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { project, tsched } from '../cli/tsched.ts';
import { directory, startDaemon, type Daemon } from '../support/daemon.ts';
import { ask, Events, infoOf, portOf, socketOf, startAsked } from './support.ts';
import { PATIENCE } from '../support/patience.ts';

const jobs = 'jobs: { a: { cron: "0 0 1 1 *", run: "true" } }\n';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('the socket', () => {
  it('is made for its owner alone, whatever the umask', async () => {
    const wrapper = ['sh', '-c', 'umask 000; exec "$@"', 'sh'];
    const daemon = await startAsked({ jobs, wrapper });
    expect(modeOf(join(daemon.stateDirectory, 'tsched.sock'))).toBe('600');
    expect(modeOf(daemon.stateDirectory)).toBe('700');
    expect((await ask(socketOf(daemon), '/healthz')).status).toBe(200);
    // What it starts has the umask it was given.
    expect(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')).toMatch(/^Umask:\s+0000$/m);
  });

  it('is its group’s too where that is asked for', async () => {
    const daemon = await startAsked({ jobs, args: ['--socket-mode', '0660'] });
    expect(modeOf(join(daemon.stateDirectory, 'tsched.sock'))).toBe('660');
  });

  it('is in $RUNTIME_DIRECTORY, or where --socket says', async () => {
    const runtime = directory();
    const byVariable = await startAsked({ jobs, env: { RUNTIME_DIRECTORY: runtime } });
    expect(infoOf(byVariable).socket).toBe(join(runtime, 'tsched.sock'));
    const elsewhere = join(directory(), 'here.sock');
    const byFlag = await startAsked({
      jobs,
      env: { RUNTIME_DIRECTORY: runtime },
      args: ['--socket', elsewhere],
    });
    expect(infoOf(byFlag).socket).toBe(elsewhere);
    expect((await ask({ socketPath: elsewhere }, '/readyz')).body.ready).toBe(true);
    expect(await byFlag.stop()).toBe(0);
    expect(existsSync(elsewhere)).toBe(false);
  });

  it('is made again when it was removed, or the state directory was, and what is asked for meanwhile goes on', async () => {
    const often = 'jobs: { a: { cron: "* * * * * *", run: "true" } }\n';
    const daemon = await startAsked({ jobs: often, args: ['--socket-mode', '0660'] });
    const path = infoOf(daemon).socket ?? '';
    const isThere = () => statSync(path, { throwIfNoEntry: false })?.isSocket();
    const events = new Events(socketOf(daemon), '/api/v1/events');
    await daemon.until('the stream', () => events.all.length > 0);
    rmSync(path);
    await daemon.waitFor('word of it', ({ msg }) => msg.includes(`${path} was removed; it is made again`));
    await daemon.until('the socket', isThere);
    expect(modeOf(path)).toBe('660');
    expect((await ask({ socketPath: path }, '/api/v1/status')).body.pid).toBe(daemon.pid);
    await daemon.until('the old stream to end', () => events.ended);

    // The daemon may make a file in it meanwhile.
    rmSync(daemon.stateDirectory, { recursive: true, force: true, maxRetries: 5 });
    await daemon.until('the socket again', isThere);
    expect((await ask({ socketPath: path }, '/api/v1/status')).body.pid).toBe(daemon.pid);
    expect(modeOf(daemon.stateDirectory)).toBe('700');
    const second = startDaemon({ directory: daemon.directory });
    expect(await second.exited).toBe(75);
    expect(await daemon.stop()).toBe(0);
  });

  it('leaves what somebody put in its place, and says so', async () => {
    const often = 'jobs: { a: { cron: "* * * * * *", run: "true" } }\n';
    const daemon = await startAsked({ jobs: often });
    const path = infoOf(daemon).socket ?? '';
    rmSync(path);
    writeFileSync(path, 'mine');
    await daemon.waitFor('word of it', ({ msg }) => msg.includes('something else is there in its place'));
    expect(readFileSync(path, 'utf8')).toBe('mine');
    rmSync(path);
    await daemon.until('the socket', () => statSync(path, { throwIfNoEntry: false })?.isSocket());
    expect((await ask({ socketPath: path }, '/healthz')).status).toBe(200);
  });

  it('is taken over from a daemon that was killed', async () => {
    const first = await startAsked({ jobs });
    const path = infoOf(first).socket ?? '';
    first.signal('SIGKILL');
    await first.end();
    expect(statSync(path).isSocket()).toBe(true);
    const second = await startAsked({ directory: first.directory });
    expect((await ask(socketOf(second), '/api/v1/status')).body.pid).toBe(second.pid);
  });

  it('leaves one that somebody answers, and anything else that is there, and jobs run without it', async () => {
    const where = directory();
    const theirs = join(where, 'theirs.sock');
    const server = createServer((socket) => socket.on('error', () => undefined).end('theirs'));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(theirs, resolve));
    const running = 'jobs: { a: { every: 1s, run: "true" } }\n';
    const daemon = startDaemon({ jobs: running, args: ['--socket', theirs] });
    const told = await daemon.waitFor('a word of it', ({ level }) => level === 'crit');
    expect(told.msg).toContain(
      `cannot listen on ${theirs}: another process listens there; jobs go on without it`,
    );
    await daemon.waitFor('a run', ({ event }) => event === 'run_finished');
    expect(server.listening && statSync(theirs).isSocket()).toBe(true);
    expect(await daemon.stop()).toBe(0);
    writeFileSync(join(where, 'file'), 'precious');
    const other = startDaemon({ jobs, args: ['--socket', join(where, 'file')] });
    await other.waitFor('a word of it', ({ msg }) => msg.includes('there is something else than a socket'));
    expect(readFileSync(join(where, 'file'), 'utf8')).toBe('precious');
  });

  it('is not there with --no-socket', async () => {
    const daemon = await startDaemon({ jobs, args: ['--no-socket'] }).ready();
    expect(await daemon.stop()).toBe(0);
    expect(infoOf(daemon)).not.toHaveProperty('socket');
  });
});

describe('refused before anything runs', () => {
  const refused = (args: readonly string[]): { code: number | null; err: string } =>
    tsched(['start', ...args], { cwd: project(jobs) });

  it.each([
    [
      'a path too long for the system',
      73,
      () => ['--socket', join(directory(), 'x'.repeat(100))],
      'where the system takes 107',
    ],
    [
      'a state directory too deep',
      73,
      () => ['--state-dir', join(directory(), 'y'.repeat(100))],
      'or go without by --no-socket',
    ],
    [
      'a directory that is not there',
      73,
      () => ['--socket', '/nowhere/at/all.sock'],
      'there is no directory /nowhere/at for the socket',
    ],
    [
      'a directory that everyone may write',
      73,
      () => ['--socket', '/tmp/tsched-test.sock'],
      'everyone may write /tmp',
    ],
    ['an address that others reach', 64, () => ['--listen', '0.0.0.0:9470'], 'say --listen-anywhere'],
    ['a name', 64, () => ['--listen', 'example.com:9470'], 'is no address to listen on'],
    ['no port', 64, () => ['--listen', '127.0.0.1'], 'write an IP address and a port'],
  ])('%s', (_, code, args, words) => {
    const made = args();
    const state = made.includes('--state-dir') ? [] : ['--state-dir', join(directory(), 'state')];
    const { code: ended, err } = refused([...made, ...state]);
    expect(err).toContain(words);
    expect(ended).toBe(code);
  });

  it('but a deep state directory is fine without a socket', async () => {
    const deep = join(directory(), 'y'.repeat(100));
    const daemon = await startDaemon({ jobs, args: ['--state-dir', deep, '--no-socket'] }).ready();
    expect(await daemon.stop()).toBe(0);
  });
});

describe('a port', () => {
  it('is opened when it is asked for, on the port the system gives', async () => {
    const daemon = await startAsked({ jobs, args: ['--listen', '127.0.0.1:0'] });
    expect(portOf(daemon).port).toBeGreaterThan(0);
    expect((await ask(portOf(daemon), '/healthz')).body).toEqual({ ok: true });
    expect((await ask(portOf(daemon), '/api/v1/status')).status).toBe(401);
  });

  it('takes only names it was told of', async () => {
    const daemon = await startAsked({
      jobs,
      args: ['--listen', '127.0.0.1:0', '--allow-host', 'cron.example'],
    });
    const by = async (host: string): Promise<number> =>
      (await ask(portOf(daemon), '/healthz', { headers: { host } })).status;
    expect(await by('cron.example')).toBe(200);
    expect(await by(`localhost:${portOf(daemon).port}`)).toBe(200);
    expect(await by('localhost')).toBe(421);
  });
});

describe('tsched token', () => {
  const state = (daemon: Daemon): string[] => ['--state-dir', daemon.stateDirectory];

  it('makes, lists and revokes tokens, and keeps only hashes', async () => {
    const daemon = await startAsked({ jobs, args: ['--listen', '127.0.0.1:0'] });
    const made = tsched(['token', 'create', 'grafana', ...state(daemon)]);
    const secret = made.out.trim();
    expect(secret).toMatch(/^tsched_[\w-]{43}$/);
    const kept = readFileSync(join(daemon.stateDirectory, 'tokens.json'), 'utf8');
    expect(kept).not.toContain(secret.slice(7));
    expect(modeOf(join(daemon.stateDirectory, 'tokens.json'))).toBe('600');
    const headers = { authorization: `Bearer ${secret}` };
    const status = async (): Promise<number> =>
      (await ask(portOf(daemon), '/api/v1/status', { headers })).status;
    await eventually(status, 200);
    const listed = tsched(['token', 'list', '--json', ...state(daemon)]);
    expect(JSON.parse(listed.out)).toMatchObject({ tokens: [{ name: 'grafana', scope: 'read' }] });
    expect(tsched(['token', 'create', 'grafana', ...state(daemon)])).toMatchObject({ code: 73 });
    expect(tsched(['token', 'create', 'a b', ...state(daemon)])).toMatchObject({ code: 64 });
    expect(tsched(['token', 'revok', 'grafana', ...state(daemon)]).err).toContain('did you mean "revoke"?');
    expect(tsched(['token', 'revoke', 'nobody', ...state(daemon)]).code).toBe(64);
    expect(tsched(['token', 'revoke', 'grafana', ...state(daemon)]).code).toBe(0);
    await eventually(status, 401);
  });

  it('lets nobody in by a file that is damaged', async () => {
    const daemon = await startAsked({ jobs, args: ['--listen', '127.0.0.1:0'] });
    writeFileSync(
      join(daemon.stateDirectory, 'tokens.json'),
      '{"tokens":[{"name":"x","scope":"admin","hash":""}]}',
    );
    const headers = { authorization: 'Bearer x' };
    expect((await ask(portOf(daemon), '/api/v1/status', { headers })).status).toBe(401);
    expect(tsched(['token', 'list', ...state(daemon)])).toMatchObject({
      code: 73,
      err: expect.stringContaining('is damaged'),
    });
  });

  it('says when there is no state directory', () => {
    const nowhere = join(directory(), 'none');
    expect(tsched(['token', 'create', 'a', '--state-dir', nowhere])).toMatchObject({ code: 66 });
  });
});

/** Asks again until the answer is this one. */
async function eventually(question: () => Promise<number>, answer: number): Promise<void> {
  const end = performance.now() + PATIENCE;
  for (let last = await question(); last !== answer; last = await question()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${answer}; it is ${last}`);
    await pause(50);
  }
}
