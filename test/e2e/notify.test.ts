/** The built daemon and real receivers: each message arrives, once, whatever happens to either. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { directory, startDaemon, until, type Daemon } from '../support/daemon.ts';
import { freePort } from '../support/port.ts';
import { httpReceiver, mailReceiver, type HttpReceiver } from '../support/receivers.ts';

const SECRETS = {
  SMTP_PASSWORD: 'pa55-w0rd',
  HOOK_TOKEN: 'T0P-S3CRET',
  HOOK_SECRET: 'hmac-k3y',
  PING_ID: 'ping-uu1d',
};

/** Fails until the file `well` is there. */
const FAILS_UNTIL_WELL = 'echo "run $TSCHED_SCHEDULED_AT"; test -e well';

function jobs({ mailPort, hook }: { mailPort: number; hook: HttpReceiver | { url: string } }): string {
  return `
notifiers:
  ops: { mail: { to: ops@example.com, smtp: "smtp://me:\${SMTP_PASSWORD}@127.0.0.1:${mailPort}" } }
  hook: { webhook: "${hook.url}/\${HOOK_TOKEN}", secret: "\${HOOK_SECRET}" }
  shell: { command: [sh, -c, 'cat >> told'] }
jobs:
  a:
    every: 200ms
    run: ${FAILS_UNTIL_WELL}
    notify: [ops, hook, shell]
    ping: "${hook.url}/ping/\${PING_ID}"
  b: { every: 100ms, run: "true" }
`;
}

function events(hook: HttpReceiver): string[] {
  return hook.requests
    .filter(({ path }) => path.endsWith(SECRETS.HOOK_TOKEN))
    .map(({ body }) => (JSON.parse(body) as { event: string }).event);
}

/** How many runs of `a` have ended so. */
function ended(daemon: Daemon, outcome: string): number {
  return daemon.events('run_finished', 'a').filter((line) => line['outcome'] === outcome).length;
}

interface Body {
  readonly job: { readonly id: string };
  /** Of a digest. */
  readonly messages?: readonly { readonly job: { readonly id: string } }[];
}

/** What a receiver has taken and the daemon has recorded. */
function told(daemon: Daemon, to: string): number {
  return daemon.events('message_delivered').filter((line) => line['to'] === to).length;
}

function touch(where: string): void {
  // By a job's own hand would race with the next run; a file that appears does not.
  process.getBuiltinModule('node:fs').writeFileSync(join(where, 'well'), '');
}

describe('telling people', () => {
  it('tells once that a job began to fail, and once that it is well, after twenty failures; secrets are nowhere', async () => {
    const hook = await httpReceiver(onTestFinished);
    const mail = await mailReceiver(onTestFinished);
    const daemon = startDaemon({
      jobs: jobs({ mailPort: mail.port, hook }),
      env: SECRETS,
      later: onTestFinished,
    });
    await daemon.ready();
    await daemon.until('twenty failures', () => ended(daemon, 'failed') >= 20);
    expect(events(hook)).toEqual(['failure']);
    touch(daemon.directory);
    await daemon.until('the recovery', () => events(hook).length > 1 && mail.mails.length > 1);
    await daemon.until('more successes', () => ended(daemon, 'succeeded') >= 5);
    await daemon.until('all that are told', () => told(daemon, 'shell') === 2);
    const signs = (): Set<string | undefined> =>
      new Set(
        hook.requests
          .filter(({ path }) => path.startsWith(`/ping/${SECRETS.PING_ID}`))
          .map(({ path }) => path.slice(`/ping/${SECRETS.PING_ID}`.length).split('?')[0]),
      );
    await daemon.until('the check to hear that it is well', () => signs().has(''));
    expect(await daemon.stop()).toBe(0);

    expect(events(hook)).toEqual(['failure', 'recovery']);
    expect(mail.mails.map(({ headers }) => headers.get('x-tsched-event'))).toEqual(['failure', 'recovery']);
    expect(mail.mails[0]?.text).toContain('    run 20');
    const lines = readFileSync(join(daemon.directory, 'told'), 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
      'failure',
      'recovery',
    ]);

    expect(signs()).toEqual(new Set(['', '/1', '/start']));

    const log = JSON.stringify(daemon.lines) + daemon.text;
    expect(log).toContain('told hook of this failure');
    for (const secret of Object.values(SECRETS)) {
      expect(log).not.toContain(secret);
      expect(filesWith(daemon.stateDirectory, secret), secret).toEqual([]);
    }
  });

  it('loses nothing and repeats nothing when receivers are away and the daemon is killed meanwhile', async () => {
    const where = directory(onTestFinished);
    // Ports that are free, and closed.
    const [hookPort, mailPort] = [await freePort(), await freePort()];
    const text = jobs({ mailPort, hook: { url: `http://127.0.0.1:${hookPort}` } });

    const first = startDaemon({ jobs: text, directory: where, env: SECRETS, later: onTestFinished });
    await first.ready();
    const failed = (daemon: Daemon, to: string) =>
      daemon.waitFor(
        `that ${to} cannot be told`,
        (line) => line.event === 'delivery_failed' && line['to'] === to,
      );
    await Promise.all([failed(first, 'ops'), failed(first, 'hook')]);
    await first.until('failures that nobody hears of', () => ended(first, 'failed') >= 3);
    // No receiver holds up a job.
    expect(first.events('run_finished', 'b').length).toBeGreaterThan(0);
    first.signal('SIGKILL');
    await first.exited;

    touch(where);
    const second = startDaemon({ directory: where, env: SECRETS, later: onTestFinished });
    await second.ready();
    await second.until('a success', () => ended(second, 'succeeded') >= 1);
    await failed(second, 'hook');
    const hook = await httpReceiver(onTestFinished, hookPort);
    const mail = await mailReceiver(onTestFinished, { port: mailPort });
    for (const to of ['ops', 'hook'])
      await second.until(`both messages to ${to}`, () => told(second, to) === 2);
    second.signal('SIGKILL');
    await second.exited;

    const third = startDaemon({ directory: where, env: SECRETS, later: onTestFinished });
    await third.ready();
    await third.until('more successes', () => ended(third, 'succeeded') >= 3);
    expect(await third.stop()).toBe(0);
    expect(events(hook)).toEqual(['failure', 'recovery']);
    expect(mail.mails.map(({ headers }) => headers.get('x-tsched-event'))).toEqual(['failure', 'recovery']);
    const ids = hook.requests.flatMap(({ headers }) => headers['x-tsched-delivery'] ?? []);
    expect(new Set(ids).size).toBe(2);
    expect(mail.mails.map(({ headers }) => headers.get('message-id')?.split('@')[0])).not.toEqual(ids);
  });

  it('makes one message of many, when a network fails and comes back, also over kill -9', async () => {
    const hook = await httpReceiver(onTestFinished);
    hook.answer = () => 503;
    const ids = Array.from({ length: 40 }, (_, n) => `job-${n}`);
    const jobs = Object.fromEntries(
      ids.map((id) => [id, { startup: 'daemon', run: 'false', notify: 'hook' }]),
    );
    const text = JSON.stringify({ notifiers: { hook: { webhook: hook.url } }, jobs });
    const first = startDaemon({ jobs: text, later: onTestFinished });
    await first.ready();
    const waiting = (): unknown => {
      const db = new DatabaseSync(join(first.stateDirectory, 'tsched.db'), { readOnly: true });
      const row = db.prepare('SELECT count(*) AS waiting FROM messages').get();
      db.close();
      return row?.['waiting'];
    };
    await first.until('all to fail', () => waiting() === ids.length);
    first.signal('SIGKILL');
    await first.exited;
    hook.answer = () => 200;
    hook.requests.splice(0);
    const still = JSON.stringify({
      notifiers: { hook: { webhook: hook.url } },
      jobs: Object.fromEntries(ids.map((id) => [id, { every: '1000d', run: 'false', notify: 'hook' }])),
    });
    const second = startDaemon({ jobs: still, directory: first.directory, later: onTestFinished });
    await second.ready();
    await second.until('all to be told', () => told(second, 'hook') === ids.length);
    expect(await second.stop()).toBe(0);
    const bodies = hook.requests.map(({ body }) => JSON.parse(body) as Body);
    const named = bodies.flatMap(({ job, messages }) => messages?.map((each) => each.job.id) ?? [job.id]);
    expect(named.sort()).toEqual([...ids].sort());
    expect(bodies).toHaveLength(1);
  });

  it('goes on with a notifier as the file has it now', async () => {
    const hook = await httpReceiver(onTestFinished);
    hook.answer = ({ path }) => (path === '/right' ? 200 : 404);
    const text = `
notifiers: { hook: { webhook: "${hook.url}/wrong" } }
jobs:
  a: { every: 200ms, run: "false", notify: hook }
`;
    const daemon = startDaemon({ jobs: text, later: onTestFinished });
    await daemon.ready();
    await daemon.waitFor('a refusal', (line) => line.event === 'delivery_failed');
    process.getBuiltinModule('node:fs').writeFileSync(daemon.file, text.replace('/wrong', '/right'));
    await daemon.waitFor('the message to be taken', (line) => line.event === 'message_delivered');
    expect(hook.requests.filter(({ path }) => path === '/right')).toHaveLength(1);
  });

  it('hears the heartbeat of a daemon', async () => {
    const hook = await httpReceiver(onTestFinished);
    const daemon = startDaemon({
      jobs: 'jobs: { a: { every: 1h, run: "true" } }\n',
      env: { TSCHED_HEARTBEAT_URL: `${hook.url}/daemon-uu1d` },
      later: onTestFinished,
    });
    await daemon.ready();
    await until('a beat', () => hook.requests.length > 0);
    expect(hook.requests[0]?.path).toBe('/daemon-uu1d');
    expect(JSON.stringify(daemon.lines)).not.toContain('uu1d');
  });
});

/** Files below a directory that hold a text. */
function filesWith(below: string, text: string): string[] {
  return readdirSync(below, { recursive: true, encoding: 'utf8' })
    .map((name) => join(below, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path).includes(text));
}
