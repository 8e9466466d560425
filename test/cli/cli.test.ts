import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, directory, plainEnvironment, project, tsched } from './tsched.ts';

const one = 'jobs:\n  hello:\n    every: 1h\n    run: echo hello\n';

describe('tsched', () => {
  it('tells its version, with every flag for it', () => {
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    for (const args of [['--version'], ['-V'], ['--version', '--no-color'], ['-V', 'list']]) {
      expect.soft(tsched(args)).toEqual({ code: 0, out: `${version}\n`, err: '' });
    }
  });

  it('shows help when asked, as an answer; when nothing is asked, as a complaint', () => {
    const asked = tsched(['--help']);
    expect(asked).toMatchObject({ code: 0, err: '' });
    const unasked = tsched([]);
    expect(unasked).toMatchObject({ code: 64, out: '' });
    expect(unasked.err).toBe(asked.out);
    for (const word of ['start', 'run-once', 'list|ls', 'next', 'explain', 'init', 'validate', 'schema']) {
      expect.soft(asked.out).toContain(`  ${word} `);
    }
    expect(tsched(['help'])).toEqual(asked);
    expect(tsched(['help', 'list'])).toMatchObject({ code: 0, err: '' });
    expect(tsched(['help', 'nonesuch'])).toMatchObject({ code: 64, out: '' });
    expect(tsched(['help', 'start']).out).toMatch(/--max-concurrent-runs <number> [^-]*\(default: 100,/);
  });

  it.each([
    [['lisst'], "tsched: unknown command 'lisst'\n(Did you mean list?)"],
    [['nonesuch'], "tsched: unknown command 'nonesuch'\n(see tsched --help)"],
    [['init', ''], 'the name of the file is empty; e.g. tsched init jobs.yaml'],
    [['list', '--jsn'], "tsched: unknown option '--jsn'\n(Did you mean --json?)\n(see tsched list --help)"],
    [['next', '--count', 'x'], "'-n, --count <number>' argument 'x' is invalid. Write a whole number from 1"],
    [['list', '--tz', 'Europe/Berln'], 'Unknown time zone "Europe/Berln"; did you mean Europe/Berlin?'],
    [['start', '--drain', '30'], 'The duration 30 has no unit; write 30s, 30m or 30h.'],
    [['run-once'], "missing required argument 'id'"],
  ])('%j is refused with 64 and what to write', (args, message) => {
    const { code, out, err } = tsched(args);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(message);
  });

  it('says which variable holds a bad value', () => {
    const { code, err } = tsched(['start'], { env: { TSCHED_DRAIN: 'soon' } });
    expect(code).toBe(64);
    expect(err).toMatch(/value 'soon' from env 'TSCHED_DRAIN' is invalid/);
  });

  it('ends quietly when its reader goes away', () => {
    const script = `{ "$0" "$1" schema; echo "code $?" >&2; } | head -n 1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, bin], {
      encoding: 'utf8',
      env: plainEnvironment(),
    });
    expect(stdout).toBe('{\n');
    expect(stderr).toBe('code 0\n');
  });

  it('gives its exit code though nobody reads what it says', () => {
    const script = `"$0" "$1" validate 2>&1 1>/dev/null | true; printf '%s' "\${PIPESTATUS[0]}"`;
    const said = spawnSync('bash', ['-c', script, process.execPath, bin], {
      encoding: 'utf8',
      cwd: project('jobs: 1\n'),
      env: plainEnvironment(),
    });
    expect(said.stdout).toBe('78');
  });

  it.each(['-V', 'schema', '--help', 'list', 'validate', 'next', 'list --json'])(
    'on a full disk says so, not that it did well: %s',
    (args) => {
      const script = `"$0" "$1" ${args} > /dev/full; echo "code $?" >&2; "$0" "$1" ${args} 2> /dev/full > /dev/null; echo "code $?" >&2`;
      const { stderr } = spawnSync('sh', ['-c', script, process.execPath, bin], {
        encoding: 'utf8',
        cwd: project(one),
        env: plainEnvironment(),
      });
      expect(stderr).toMatch(/^(?:tsched: cannot write the output: ENOSPC.*\n)?code 73\ncode 0\n$/);
    },
  );

  it('says that the current directory is gone', () => {
    const cwd = directory();
    const script = `rmdir "$2"; "$0" "$1" validate x.yaml; echo "code $?" >&2`;
    const { stderr } = spawnSync('sh', ['-c', script, process.execPath, bin, cwd], {
      encoding: 'utf8',
      cwd,
      env: plainEnvironment(),
    });
    expect(stderr).toBe('tsched: the current directory is not there any more; cd to one that is\ncode 66\n');
  });

  it('passes everything to a reader that is slow', () => {
    const script = `"$0" "$1" schema | { sleep 0.3; cat; }`;
    const text = execFileSync('sh', ['-c', script, process.execPath, bin], { encoding: 'utf8' });
    expect(JSON.parse(text)).toHaveProperty('definitions');
  });

  it('on a Node too old says what to do', () => {
    const old = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); require(${JSON.stringify(bin)});`;
    const { status, stderr } = spawnSync(process.execPath, ['-e', old], { encoding: 'utf8' });
    expect(status).toBe(69);
    expect(stderr).toMatch(/^tsched needs Node\.js 24 or newer, but this is v\d.*\n$/);
  });

  it('escapes what a file or an argument could do to a terminal', () => {
    const evil = '\u001b[2Jx\u202e';
    for (const args of [['next', evil], [evil], ['list', `--${evil}`], ['explain', evil]]) {
      const { code, err } = tsched(args, { cwd: project(one) });
      expect.soft(code).toBe(64);
      expect.soft(err).toContain('\\x1b[2Jx\\u202e');
      expect.soft(err.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    }
  });
});

describe('colour', () => {
  const colored = (args: readonly string[], env: Record<string, string> = {}): boolean =>
    tsched(['list', ...args], { cwd: project(one), env }).out.includes('\u001b[');

  it('comes by flag or FORCE_COLOR, goes by flag or NO_COLOR, and is not for pipes', () => {
    expect(colored([])).toBe(false);
    expect(colored(['--color'])).toBe(true);
    expect(colored(['--color'], { NO_COLOR: '1' })).toBe(true);
    expect(colored([], { FORCE_COLOR: '1' })).toBe(true);
    expect(colored(['--no-color'], { FORCE_COLOR: '1' })).toBe(false);
  });

  it('is on by itself on a terminal, unless NO_COLOR', () => {
    const onTerminal = (env: Record<string, string>): string =>
      execFileSync('script', ['-qec', `"${process.execPath}" "${bin}" list`, '/dev/null'], {
        encoding: 'utf8',
        cwd: project(one),
        env: { ...plainEnvironment(), TERM: 'xterm', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    expect(onTerminal({})).toContain('\u001b[');
    expect(onTerminal({ NO_COLOR: '1' })).not.toContain('\u001b[');
  });
});

describe('the job file', () => {
  it('is --file, else TSCHED_FILE, else ./jobs.yaml', () => {
    const cwd = project(one, {
      'a.yaml': one.replace('hello:', 'a:'),
      'b.yaml': one.replace('hello:', 'b:'),
    });
    const ids = (args: readonly string[], env: Record<string, string> = {}): string[] => {
      const { out } = tsched(['list', '--json', ...args], { cwd, env });
      return (JSON.parse(out) as { jobs: { id: string }[] }).jobs.map((job) => job.id);
    };
    expect(ids([])).toEqual(['hello']);
    expect(ids([], { TSCHED_FILE: 'b.yaml' })).toEqual(['b']);
    expect(ids(['-f', 'a.yaml'], { TSCHED_FILE: 'b.yaml' })).toEqual(['a']);
  });

  it('is not the one that an empty name names', () => {
    const cwd = project(one);
    for (const args of [['list'], ['validate'], ['next'], ['list', '--file', '']])
      expect
        .soft(tsched(args, { cwd, env: { TSCHED_FILE: '' } }), args.join(' '))
        .toMatchObject({ code: 0, err: '' });
  });

  it('that is not there ends with 66 and how to make one', () => {
    const none = tsched(['list'], { cwd: directory() });
    expect(none).toMatchObject({ code: 66, out: '' });
    expect(none.err).toContain('no job file');
    expect(none.err).toContain('tsched init');
    const named = tsched(['list', '--file', 'nope.yaml']);
    expect(named.code).toBe(66);
    expect(named.err).toContain('nope.yaml');
  });

  it('that is bad ends with 78 and its errors, framed, and nothing on standard output', () => {
    const { code, out, err } = tsched(['list'], { cwd: project(one.replace('every: 1h', 'evry: 1h')) });
    expect({ code, out }).toEqual({ code: 78, out: '' });
    expect(err).toMatch(/jobs\.yaml:3:5: error: .*evry/);
    expect(err).toContain('every');
  });
});
