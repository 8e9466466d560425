import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { directory, project, tsched } from './tsched.ts';

const root = join(import.meta.dirname, '../..');

describe('tsched init', () => {
  it('writes a file that is good as it is, and never over another', () => {
    const cwd = directory();
    const made = tsched(['init'], { cwd });
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toContain('tsched validate');
    expect(tsched(['validate', '--strict'], { cwd }).code).toBe(0);

    writeFileSync(join(cwd, 'jobs.yaml'), 'mine');
    const again = tsched(['init'], { cwd });
    expect(again.code).toBe(73);
    expect(again.err).toContain('jobs.yaml exists');
    expect(readFileSync(join(cwd, 'jobs.yaml'), 'utf8')).toBe('mine');
  });

  it('writes examples that are good when they are uncommented', () => {
    const cwd = directory();
    tsched(['init'], { cwd });
    const text = readFileSync(join(cwd, 'jobs.yaml'), 'utf8');
    const uncommented = text.replaceAll(/^ {2}# /gm, '  ').replace(/module: .*/, 'module: ./report.ts');
    expect(uncommented).not.toBe(text);
    writeFileSync(join(cwd, 'report.ts'), 'export default () => 1;');
    writeFileSync(join(cwd, 'jobs.yaml'), uncommented);
    const { code, err, out } = tsched(['validate', '--strict'], { cwd });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('3 jobs');
  });

  it('says why it cannot', () => {
    const { code, err } = tsched(['init', 'no/such/jobs.yaml']);
    expect(code).toBe(73);
    expect(err).toContain('its directory does not exist');
  });
});

describe('tsched validate', () => {
  const good = 'jobs:\n  a:\n    cron: "30 2 * * *"\n    timezone: Europe/Berlin\n    run: echo\n';
  const bad = 'jobs:\n  a:\n    evry: 5m\n    run: echo\n    timezone: Mars/X\n';

  it('says what is in a good file, and which times a clock change touches', () => {
    const { code, out, err } = tsched(['validate'], { cwd: project(good), at: '2026-10-01 00:00:00' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatchInlineSnapshot(`
      "✔ jobs.yaml: 1 job, no warnings; default time zone UTC
      Touched by clock changes within a year:
        a: Sun 2026-10-25 02:30:00 +02:00 Europe/Berlin: clocks go back at 03:00; the second 02:30 is not used
        a: Sun 2027-03-28 03:30:00 +02:00 Europe/Berlin: clocks go forward from 02:00 to 03:00; 02:30 does not exist, so it runs at 03:30
      "
    `);
  });

  it('shows all errors of all files, framed, and ends with 78', () => {
    const cwd = project(good, { 'bad.yaml': bad, 'worse.yaml': 'jobs: [' });
    const { code, out, err } = tsched(['validate', 'bad.yaml', 'jobs.yaml', 'worse.yaml'], { cwd });
    expect(code).toBe(78);
    expect(out).toContain('✔ jobs.yaml: 1 job, no warnings');
    expect(err).toMatch(/bad\.yaml:3:5: error: .*evry/);
    expect(err).toMatch(/bad\.yaml:5:15: error: .*Mars\/X/);
    expect(err).toMatch(/✖ bad\.yaml: \d errors/);
    expect(err).toMatch(/worse\.yaml:\d+:\d+: error/);
  });

  it('lets warnings pass, but not when strict', () => {
    const cwd = project(good.replace('30 2 * * *', '0 0 13 * 5'));
    const loose = tsched(['validate'], { cwd });
    expect(loose.code).toBe(0);
    expect(loose.err).toContain('warning');
    expect(tsched(['validate', '--strict'], { cwd }).code).toBe(78);
  });

  it('has a stable shape for programs', () => {
    const { code, out, err } = tsched(['validate', '--json'], { cwd: project(bad) });
    expect({ code, err }).toEqual({ code: 78, err: '' });
    const { errors, warnings } = JSON.parse(out) as {
      errors: Record<string, unknown>[];
      warnings: unknown[];
    };
    expect(warnings).toEqual([]);
    expect(errors[0]).toMatchObject({ line: 3, column: 5, path: expect.stringContaining('a') as string });
    for (const error of errors) {
      expect
        .soft(Object.keys(error))
        .toEqual([
          'severity',
          'file',
          'line',
          'column',
          'length',
          'path',
          'message',
          'hint',
          'frame',
          'related',
        ]);
    }
  });

  it('ends with 66 when there is no such file', () => {
    expect(tsched(['validate', 'nope.yaml']).code).toBe(66);
  });

  it.skipIf(process.geteuid?.() === 0)('says that it may not read a file', () => {
    const cwd = project(good);
    chmodSync(join(cwd, 'jobs.yaml'), 0);
    expect(tsched(['validate'], { cwd }).err).toMatch(/EACCES|permission|not allowed/i);
  });
});

describe('tsched schema', () => {
  it('accepts the example file, refuses a mistake, and is what the package ships', async () => {
    const { out } = tsched(['schema']);
    const schema = JSON.parse(out) as Record<string, unknown>;
    expect(schema).toEqual(JSON.parse(readFileSync(join(root, 'dist/schema.json'), 'utf8')));
    const { parse } = await import('yaml');
    const check = new Ajv({ strict: false }).compile(schema);
    const example = parse(readFileSync(join(root, 'jobs.example.yaml'), 'utf8')) as {
      jobs: Record<string, object>;
    };
    expect([check(example), check.errors]).toEqual([true, null]);
    expect(check({ jobs: { a: { ...example.jobs.heartbeat, evry: '5m' } } })).toBe(false);
  });
});

describe('the example file', () => {
  it('has no mistakes and no warnings', () => {
    const { code, err, out } = tsched(['validate', '--strict', 'jobs.example.yaml'], { cwd: root });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('8 jobs, no warnings');
  });

  it("has a module that TypeScript's own check passes", () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--types',
      'node',
    ];
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, 'examples/greet.ts'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([0, '']);
  });
});
