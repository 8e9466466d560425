import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { account, directory } from '../support/daemon.ts';
import { startAsked } from '../http/support.ts';
import { tsched } from './tsched.ts';

const FILE = 'jobs: { filed: { every: 1000d, run: "true" } }';

describe('tsched add and remove', () => {
  it('give the daemon jobs that fire, and take them away; adding twice changes nothing', async () => {
    const where = directory();
    const book = account(join(where, 'account'));
    const daemon = await startAsked({ directory: where, jobs: FILE });
    const at = ['--state-dir', daemon.stateDirectory];
    writeFileSync(
      join(where, 'more.yaml'),
      `jobs:\n  extra:\n    every: 1s\n    run: ${JSON.stringify(book.line('$PWD'))}\n`,
    );
    const add = () => tsched(['add', 'more.yaml', ...at], { cwd: where });
    expect(add()).toMatchObject({ code: 0, out: 'added extra\n', err: '' });
    expect(add()).toMatchObject({ code: 0, out: 'nothing has changed: these jobs are there already\n' });
    await daemon.until('it to fire', () => book.executions('extra')[0]);
    expect(book.executions('extra')[0]?.more).toBe(where);
    const listed = tsched(['list', ...at], { cwd: where }).out;
    expect(listed).toMatch(
      /^ID .* FROM\nextra .* added\nfiled .* jobs\.yaml:1\n\n2 jobs, 1 added in jobs\.yaml\. /,
    );
    const [extra] = JSON.parse(tsched(['list', '--json', ...at], { cwd: where }).out).jobs;
    expect(extra).toMatchObject({ id: 'extra', origin: 'added', source: null });

    const other = 'jobs: { extra: { every: 2s, run: "true" } }';
    expect(tsched(['add', '-', ...at], { cwd: where, input: other })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/another extra was added before.*ask to replace/),
    });
    expect(tsched(['add', '-', '--replace', ...at], { cwd: where, input: other })).toMatchObject({
      code: 0,
      out: 'changed extra\n',
    });
    expect(tsched(['remove', 'extra', ...at])).toMatchObject({ code: 0, out: 'removed extra\n' });
    expect(tsched(['remove', 'extra', ...at])).toMatchObject({
      code: 64,
      err: expect.stringMatching(/there is no job "extra"/),
    });
    expect(tsched(['remove', 'filed', ...at])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/of the job file/),
    });
    expect(await daemon.stop()).toBe(0);
    expect(add()).toMatchObject({ code: 69 });
  });

  it('leave no jobs that wait for one another, and none without those that they follow', async () => {
    const where = directory();
    const jobs = 'jobs:\n  f: { cron: "0 1 1 1 *", run: "true" }\n  b: { after: f, run: "true" }\n';
    const daemon = await startAsked({ directory: where, jobs });
    const at = ['--state-dir', daemon.stateDirectory];
    const add = (input: string) => tsched(['add', '-', '--replace', ...at], { cwd: where, input });
    const circle = add('jobs: { f: { after: b, run: "true" } }');
    expect(circle.code).toBe(78);
    expect(circle.err).toMatch(
      /^standard input:1:1: error: jobs\.f: these jobs wait for one another: f after b \(added\), b after f \(.*jobs\.yaml:3\)/,
    );
    const some = 'jobs: { x1: { every: 1d, run: "true" }, x2: { every: 1d, needs: [x1, b], run: "true" } }';
    expect(add(some)).toMatchObject({ code: 0, out: 'added x1, x2\n' });
    expect(add('jobs: { x1: { every: 1d, needs: x2, run: "true" } }').code).toBe(78);
    expect(tsched(['remove', 'x1', ...at])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/x1 is followed or needed by x2.*remove those first/s),
    });

    writeFileSync(join(where, 'jobs.yaml'), jobs.replace(/ {2}b.*\n/, ''));
    const plan = tsched(['reload', '--dry-run', ...at], { cwd: where });
    expect(plan.code).toBe(0);
    expect(plan.out + plan.err).toMatch(/warning: the added job x2 needs "b", which is not there any more/);
    expect(tsched(['remove', 'x2', ...at])).toMatchObject({ code: 0 });
    expect(tsched(['remove', 'x1', ...at])).toMatchObject({ code: 0 });
  });

  it('show mistakes in their lines, as validate does', async () => {
    const daemon = await startAsked({ jobs: FILE });
    const { code, err } = tsched(['add', '-', '--state-dir', daemon.stateDirectory], {
      input: 'jobs:\n  bad: { evry: 5m, run: x }\n',
    });
    expect(code).toBe(78);
    expect(err).toContain('standard input:2:10: error: jobs.bad.evry: unknown key "evry"\n');
    expect(err).toContain('did you mean "every"?');
    expect(tsched(['add', 'nowhere.yaml', '--state-dir', daemon.stateDirectory])).toMatchObject({
      code: 66,
      err: expect.stringMatching(/there is no file nowhere.yaml/),
    });
  });
});
