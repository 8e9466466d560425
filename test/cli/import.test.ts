import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, directory, plainEnvironment, tsched } from './tsched.ts';

const fixtures = join(import.meta.dirname, '../fixtures/import');

describe('tsched import', () => {
  it.each([
    ['user.crontab', ['crontab']],
    ['system.crontab', ['--system', 'crontab']],
    ['supercronic.crontab', ['supercronic']],
    ['yacron.yaml', []],
    ['cronjobs.yaml', []],
  ])('prints a job file of %s that validates, and what changes on standard error', (name, words) => {
    const { code, out, err } = tsched(['import', ...words, join(fixtures, name)]);
    expect(code).toBe(0);
    expect(err).toMatch(/^\d+ jobs from .*; what means something else now:\n {2}everywhere: /);
    const cwd = directory();
    writeFileSync(join(cwd, 'jobs.yaml'), out);
    expect(tsched(['validate'], { cwd })).toMatchObject({ code: 0 });
    expect(tsched(['list'], { cwd }).code).toBe(0);
  });

  it('reads standard input', () => {
    const input = '0 5 * * * /opt/nightly.sh\n';
    const options = { input, encoding: 'utf8', env: plainEnvironment() } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'import', 'crontab', '-'], options);
    expect(status).toBe(0);
    expect(stdout).toContain('  nightly:\n    cron: "0 5 * * *"\n    run: /opt/nightly.sh\n');
    expect(stderr).toMatch(/^1 job from standard input \(crontab\)/);
  });

  it.each([
    [['crontap', 'x'], 64, /did you mean crontab\?/],
    [['yacron'], 64, /no file to import as yacron/],
    [['nope'], 66, /there is no file nope/],
    [['kubernetes', 'broken'], 78, /broken cannot be read as kubernetes: line 1: /],
  ])('says what is wrong with %j', (words, code, message) => {
    const cwd = directory();
    writeFileSync(join(cwd, 'broken'), 'a: [\n');
    const ran = tsched(['import', ...words], { cwd });
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' });
    expect(ran.err).toMatch(message);
  });

  it('reads what a yacron file includes beside it, and names that file', () => {
    const cwd = directory();
    mkdirSync(join(cwd, 'conf'));
    writeFileSync(join(cwd, 'conf/main.yaml'), 'include: [base.yaml]\njobs: []\n');
    const job = '{ name: nightly, command: "true", schedule: "0 5 * * *", statsd: {} }';
    writeFileSync(join(cwd, 'conf/base.yaml'), `jobs: [${job}]\n`);
    const { code, out, err } = tsched(['import', 'yacron', 'conf/main.yaml'], { cwd });
    expect(code).toBe(0);
    expect(out).toContain('  nightly:\n    cron: "0 5 * * *"\n');
    expect(err).toContain('  base.yaml:1: nightly: "statsd" is not carried over\n');
  });

  it('refuses a text in another encoding, in which no command would be what it was', () => {
    const cwd = directory();
    writeFileSync(join(cwd, 'old'), Buffer.from('0 5 * * * echo caf\u00e9\n', 'latin1'));
    const { code, out, err } = tsched(['import', 'crontab', 'old'], { cwd });
    expect({ code, out }).toEqual({ code: 78, out: '' });
    expect(err).toMatch(/old is not in UTF-8; convert it first, e.g. iconv/);
  });
});
