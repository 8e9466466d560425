import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { httpReceiver, mailReceiver } from '../support/receivers.ts';
import { bin, plainEnvironment, project, type Ran } from './tsched.ts';

/** As `tsched`, but this process goes on to answer meanwhile. */
function run(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...plainEnvironment(), ...env } };
    const child = execFile(process.execPath, [bin, ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });
}

describe('tsched notify test', () => {
  it('tells each kind of notifier that this is a test', async () => {
    const hook = await httpReceiver(onTestFinished);
    const mail = await mailReceiver(onTestFinished);
    const where = project(`
notifiers:
  ops: { mail: { to: ops@example.com, smtp: "smtp://127.0.0.1:${mail.port}" } }
  hook: { webhook: "\${URL}" }
  shell: { command: [sh, -c, 'cat > told; echo "$TSCHED_SUBJECT" > subject'] }
jobs: { a: { every: 1h, run: "true", notify: [ops, hook, shell] } }
`);
    for (const name of ['ops', 'hook', 'shell']) {
      const ran = await run(['notify', 'test', name], where, { URL: `${hook.url}/x` });
      expect(ran).toEqual({ code: 0, out: `✔ ${name} was told\n`, err: '' });
    }
    expect(mail.mails[0]?.headers.get('subject')).toMatch(/^tsched says hello: this notifier works on /);
    expect(JSON.parse(hook.requests[0]?.body ?? '')).toMatchObject({ event: 'test', run: null });
    expect(JSON.parse(readFileSync(join(where, 'told'), 'utf8'))).toMatchObject({ event: 'test' });
    expect(readFileSync(join(where, 'subject'), 'utf8')).toMatch(/^tsched says hello/);
    expect(existsSync(join(where, 'state'))).toBe(false);
  });

  it('says why one was not told, without its secrets, and ends with 1', async () => {
    const hook = await httpReceiver(onTestFinished);
    hook.answer = () => 403;
    const jobs = `
notifiers: { hook: { webhook: "${hook.url}/T0P-S3CRET" } }
jobs: { a: { every: 1h, run: "true", notify: hook } }
`;
    expect(await run(['notify', 'test', 'hook'], project(jobs))).toEqual({
      code: 1,
      out: '',
      err: '✖ hook was not told: it answered 403\n',
    });
  });

  it('names the one that was probably meant', async () => {
    const where = project(`
notifiers: { ops: { mail: a@b } }
jobs: { a: { every: 1h, run: "true", notify: ops } }
`);
    const ran = await run(['notify', 'test', 'opps'], where);
    expect(ran).toMatchObject({ code: 64, out: '' });
    expect(ran.err).toBe('tsched: there is no notifier "opps" in jobs.yaml; did you mean "ops"?\n');
    const none = await run(['notify', 'test', 'ops'], project('jobs: { a: { every: 1h, run: "true" } }\n'));
    expect(none).toMatchObject({ code: 64 });
    expect(none.err).toContain('name some under notifiers:');
  });
});
