import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { account, directory, startDaemon, type Daemon } from '../support/daemon.ts';
import { httpReceiver } from '../support/receivers.ts';
import { ask, infoOf, socketOf, startAsked } from './support.ts';

const FILE = 'jobs: { filed: { every: 1000d, run: "true" } }';

const often = (line: string): object => ({ every: '1s', run: line });

async function origins(daemon: Daemon): Promise<Record<string, string>> {
  const { body } = await ask(socketOf(daemon), '/api/v1/jobs');
  return Object.fromEntries(
    (body.jobs as { id: string; origin: string }[]).map(({ id, origin }) => [id, origin]),
  );
}

describe('jobs at run time', () => {
  it('fire, outlive kill -9, are listed with where they come from, and go again', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const first = await startAsked({ directory: where, jobs: FILE });
    const added = await ask(socketOf(first), '/api/v1/jobs/extra', {
      method: 'POST',
      json: { job: often(book.line()) },
    });
    expect(added).toMatchObject({ status: 201, body: { added: ['extra'], changed: [] } });
    expect(await origins(first)).toEqual({ filed: 'file', extra: 'added' });
    await first.until('it to fire', () => book.executions('extra').length > 0);
    first.signal('SIGKILL');
    await first.exited;

    const next = await startAsked({ directory: where });
    const before = book.executions('extra').length;
    await next.until('it to fire again', () => book.executions('extra').length > before);
    expect(await origins(next)).toEqual({ filed: 'file', extra: 'added' });
    const slots = book.slots('extra');
    expect(new Set(slots).size).toBe(slots.length);

    expect(await ask(socketOf(next), '/api/v1/jobs/extra', { method: 'DELETE' })).toMatchObject({
      status: 200,
      body: { removed: 'extra' },
    });
    expect(await origins(next)).toEqual({ filed: 'file' });
    expect(await ask(socketOf(next), '/api/v1/jobs/extra', { method: 'DELETE' })).toMatchObject({
      status: 404,
      body: { code: 'unknown_job' },
    });
    await next.stop();
    const last = await startDaemon({ directory: where }).ready();
    expect(last.lines.find(({ event }) => event === 'engine_started')).toMatchObject({
      msg: 'started with 1 job',
    });
  });

  it('tell which labels a node must have, as jobs of the file do', async () => {
    const daemon = await startAsked({
      jobs: FILE.replace(' }', ', runs_on: [gpu, eu] }'),
    });
    const add = (json: object) => ask(socketOf(daemon), '/api/v1/jobs/extra', { method: 'POST', json });
    expect(await add({ job: { every: '1h', run: 'x', runs_on: 'gpu=1' } })).toMatchObject({ status: 422 });
    expect(await add({ job: { every: '1h', run: 'x', runs_on: 'eu' } })).toMatchObject({ status: 201 });
    const labels = async (id: string): Promise<unknown> =>
      (await ask(socketOf(daemon), `/api/v1/jobs/${id}`)).body;
    expect(await labels('filed')).toMatchObject({ runsOn: ['eu', 'gpu'] });
    expect(await labels('extra')).toMatchObject({ runsOn: ['eu'] });
  });

  it('are one job when ten clients add it at once, and no job where another is', async () => {
    const daemon = await startAsked({ jobs: FILE });
    const place = socketOf(daemon);
    const add = (json: object) => ask(place, '/api/v1/jobs/a', { method: 'POST', json });
    const answers = await Promise.all(Array.from({ length: 10 }, () => add({ job: often('true') })));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([...Array(9).fill(200), 201]);
    expect(await origins(daemon)).toEqual({ filed: 'file', a: 'added' });
    expect(await add({ job: often('false') })).toMatchObject({
      status: 409,
      body: { code: 'job_exists', detail: 'another a was added before' },
    });
    const put = (id: string, json: object) => ask(place, `/api/v1/jobs/${id}`, { method: 'PUT', json });
    expect(await put('a', { job: often('false') })).toMatchObject({ status: 200, body: { changed: ['a'] } });
    expect(await put('filed', { job: often('true') })).toMatchObject({
      status: 409,
      body: { detail: 'the job file defines filed' },
    });
    expect(await put('filed', { job: often('true'), replace: true })).toMatchObject({ status: 200 });
    expect(await origins(daemon)).toEqual({ filed: 'added', a: 'added' });
    await ask(place, '/api/v1/jobs/filed', { method: 'DELETE' });
    expect(await origins(daemon)).toEqual({ filed: 'file', a: 'added' });
    expect(await ask(place, '/api/v1/jobs/filed', { method: 'DELETE' })).toMatchObject({
      status: 409,
      body: { code: 'not_added' },
    });
  });

  it('are refused with the words of validate, all or none', async () => {
    const daemon = await startAsked({ jobs: FILE });
    const text = 'jobs:\n  good: { every: 5m, run: x }\n  bad: { evry: 5m, run: x }\n';
    const add = (json: object) => ask(socketOf(daemon), '/api/v1/jobs', { method: 'POST', json });
    expect(await add({ text })).toMatchObject({
      status: 422,
      body: { code: 'bad_file', errors: [{ line: 3, column: 10, message: 'unknown key "evry"' }] },
    });
    expect(await add({ text: 'include: [/etc/*.yaml]' })).toMatchObject({ status: 422 });
    expect(await add({ text, directory: 'here' })).toMatchObject({ status: 400 });
    expect(await origins(daemon)).toEqual({ filed: 'file' });
    const good = 'jobs: { good: { every: 5m, run: x, cwd: below } }';
    expect(await add({ text: good, directory: '/srv' })).toMatchObject({ status: 201 });
    const { body } = await ask(socketOf(daemon), '/api/v1/jobs/good');
    expect(body).toMatchObject({ definition: { cwd: '/srv/below' }, origin: 'added' });
    expect(infoOf(daemon)).toMatchObject({ jobs: 2 });
  });

  it('stay through a reload of the file, and one that it cannot load does not keep the others out', async () => {
    const where = directory();
    const first = await startAsked({ directory: where, jobs: FILE, env: { WHO: 'me' } });
    const json = (run: object): object => ({ job: { every: '5m', run: 'x', ...run } });
    await ask(socketOf(first), '/api/v1/jobs/a', { method: 'POST', json: json({ env: { W: '${WHO}' } }) });
    await ask(socketOf(first), '/api/v1/jobs/b', { method: 'POST', json: json({}) });
    expect(
      await ask(socketOf(first), '/api/v1/reload?dry_run=true', { method: 'POST', json: {} }),
    ).toMatchObject({
      body: { kind: 'unchanged', removed: [] },
    });
    expect(await ask(socketOf(first), '/api/v1/reload', { method: 'POST', json: {} })).toMatchObject({
      status: 200,
    });
    expect(await origins(first)).toEqual({ filed: 'file', a: 'added', b: 'added' });
    await first.stop();
    const next = await startAsked({ directory: where });
    expect(await origins(next)).toEqual({ filed: 'file', b: 'added' });
    const said = await next.waitFor('the refusal', ({ level, job }) => level === 'error' && job === 'a');
    expect(said.msg).toMatch(/the added job a cannot be loaded any more .*WHO.*tsched remove a/);
    expect(await ask(socketOf(next), '/api/v1/jobs/a', { method: 'DELETE' })).toMatchObject({ status: 200 });
  });

  it('keep out a job file with which they would wait for one another', async () => {
    const where = directory();
    const file = (keys: string) =>
      `jobs:\n  f: { every: 1000d, run: "true" }\n  b: { ${keys}, run: "true" }\n`;
    const daemon = await startAsked({ directory: where, jobs: file('every: 1000d') });
    const post = (path: string, json: object) => ask(socketOf(daemon), path, { method: 'POST', json });
    const text = 'jobs: { f: { after: b, run: "true" } }';
    expect(await post('/api/v1/jobs', { text, replace: true })).toMatchObject({ status: 200 });
    const refusal = {
      status: 422,
      body: {
        code: 'bad_file',
        errors: [
          { line: 3, path: 'jobs.b', message: expect.stringMatching(/f after b \(added\), b after f/) },
        ],
      },
    };
    writeFileSync(join(where, 'jobs.yaml'), file('after: f'));
    expect(await post('/api/v1/reload?dry_run=true', {})).toMatchObject(refusal);
    expect(await post('/api/v1/reload', {})).toMatchObject(refusal);
    await ask(socketOf(daemon), '/api/v1/jobs/f', { method: 'DELETE' });
    expect(await post('/api/v1/reload', {})).toMatchObject({ status: 200, body: { kind: 'applied' } });
  });

  it('are in the plan of a text that is checked, as they are', async () => {
    const daemon = await startAsked({ jobs: FILE });
    await ask(socketOf(daemon), '/api/v1/jobs/a', { method: 'POST', json: { job: often('true') } });
    const text = FILE.replace('1000d', '999d').replace(' }', ', tags: [x] }, new: { every: 1d, run: x }');
    const { body } = await ask(socketOf(daemon), '/api/v1/validate', { method: 'POST', json: { text } });
    expect(body).toMatchObject({
      jobs: 2,
      errors: [],
      plan: {
        kind: 'planned',
        added: ['new'],
        rescheduled: ['filed'],
        removed: [],
        changedKeys: { filed: ['every', 'tags'] },
        unchanged: 1,
      },
    });
  });

  it('tell people by the notifiers of the job file, and by none of their own', async () => {
    const hook = await httpReceiver(onTestFinished);
    const jobs = `notifiers: { ops: { webhook: "${hook.url}/hook" } }\ndefaults: { notify: ops }\n${FILE}`;
    const daemon = await startAsked({ jobs });
    const add = (json: object) => ask(socketOf(daemon), '/api/v1/jobs/a', { method: 'POST', json });
    expect(await add({ job: { ...often('false'), notify: 'opps' } })).toMatchObject({
      status: 422,
      body: { errors: [{ message: 'there is no notifier "opps"', hint: 'did you mean "ops"?' }] },
    });
    const ping = `${hook.url}/s3cret-uuid`;
    expect(await add({ job: { ...often('false'), notify: 'ops', ping } })).toMatchObject({ status: 201 });
    await daemon.waitFor(
      'the failure to be told',
      (line) => line.event === 'message_delivered' && line['to'] === 'ops',
    );
    expect(hook.requests.filter(({ path }) => path === '/hook')).toHaveLength(1);
    await daemon.until('the check to hear of it', () =>
      hook.requests.some(({ path }) => path.includes('/1?')),
    );
    // How a job tells is nobody's business who may only look.
    expect((await ask(socketOf(daemon), '/api/v1/jobs/a')).text).not.toContain('s3cret');
    expect((await ask(socketOf(daemon), '/metrics')).text).toContain(
      'tsched_notifications_total{notifier="ops",result="delivered"} 1',
    );
    expect(JSON.stringify(daemon.lines)).not.toContain('s3cret');
  });
});
