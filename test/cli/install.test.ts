import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unitText } from '../../src/cli/unit.ts';
import { bin, directory, tsched } from './tsched.ts';

const place = (home: string): string => join(home, '.config/systemd/user/tsched.service');

describe('tsched install', () => {
  it('writes a unit with absolute paths and says what to run next', () => {
    const home = directory();
    const { code, out, err } = tsched(['install', '--user'], { env: { HOME: home } });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const jobs = join(home, '.config/tsched/jobs.yaml');
    expect(out).toContain(`wrote ${place(home)}`);
    expect(out).toContain(`tsched init ${jobs}`);
    expect(out).toContain('systemctl --user daemon-reload && systemctl --user enable --now tsched');
    const unit = readFileSync(place(home), 'utf8');
    expect(unit).toContain(`\nExecStart=${process.execPath} ${bin} start ${jobs}\n`);
    expect(unit).not.toContain('OpenFile');
    expect(unit).toContain('WantedBy=default.target');
  });

  it('writes the same twice, and never over one that says something else, but by force', () => {
    const env = { HOME: directory() };
    tsched(['install', '--user'], { env });
    expect(tsched(['install', '--user'], { env })).toMatchObject({ code: 0 });
    writeFileSync(place(env.HOME), 'mine');
    const refused = tsched(['install', '--user'], { env });
    expect(refused.code).toBe(73);
    expect(refused.err).toMatch(/says something else and is left as it is; .*drop-in.*--force/);
    expect(readFileSync(place(env.HOME), 'utf8')).toBe('mine');
    expect(tsched(['install', '--user', '--force'], { env }).code).toBe(0);
    expect(readFileSync(place(env.HOME), 'utf8')).toContain('[Service]');
  });

  it('shows with --dry-run what it would write, and writes nothing', () => {
    const home = directory();
    const { code, out } = tsched(['install', '--user', '--dry-run'], { env: { HOME: home } });
    expect(code).toBe(0);
    expect(out).toContain('[Service]');
    expect(existsSync(place(home))).toBe(false);
  });

  it.each([
    [['--user', '--run-as', 'me'], 64, /leave out --run-as/],
    [['--run-as', 'a b'], 64, /no name of a user/],
    [['--file', '/tmp/jobs.yaml'], 64, /has a \/tmp of its own/],
    [['--run-as', 'me', '--file', '/root/jobs.yaml'], 64, /where me cannot read it/],
  ])('refuses %j', (args, code, words) => {
    const ran = tsched(['install', '--dry-run', ...args]);
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' });
    expect(ran.err).toMatch(words);
  });

  it('says so where it may not write', () => {
    const home = directory();
    writeFileSync(join(home, '.config'), 'a file');
    const { code, err } = tsched(['install', '--user'], { env: { HOME: home } });
    expect(code).toBe(73);
    expect(err).toMatch(/cannot write .*tsched\.service/);
  });
});

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;

describe.skipIf(!analyze)(`the unit${analyze ? '' : ' (skipped: no systemd-analyze)'}`, () => {
  it.each([
    ['of the system', false, undefined],
    ['of the system, as a user', false, 'daemon'],
    ['of a user', true, undefined],
  ])('%s is one that systemd understands, whatever the paths', (_, ofUser, runAs) => {
    const where = directory();
    const path = join(where, 'tsched.service');
    const node = join(where, 'no de%n$x');
    writeFileSync(node, '', { mode: 0o755 });
    writeFileSync(path, unitText({ node, tsched: '/a $HOME/%h', file: '/b "c"\\d', ofUser, runAs }));
    expect(readFileSync(path, 'utf8')).toContain(`%%n$x" "/a $$HOME/%%h" start "/b \\"c\\"\\\\d"`);
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
      encoding: 'utf8',
    });
    const complaints = stderr.split('\n').filter((line) => line.includes('tsched.service'));
    // The one key that older ones do not know, and ignore.
    expect(complaints.filter((line) => !line.includes("'OpenFile'"))).toEqual([]);
    expect(status).toBe(0);
  });
});
