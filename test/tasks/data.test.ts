import fc from 'fast-check';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bench, command, programs, shell, surroundings, temporaryDirectory, type Bench } from './harness.ts';

/** Everything that shells, line readers and option parsers take amiss. */
const hostile = [
  '',
  ' ',
  '\n',
  '\n\n',
  ' lead',
  '\ttab\t',
  'trail \n',
  '+plus',
  '+a\n+b\n b\n',
  "it's",
  '"quoted"',
  '$(touch pwned)',
  '`touch pwned`',
  '${HOME}',
  '$HOME',
  '\\',
  'back\\\nslash\\',
  '\\n',
  '-n',
  '--',
  '-e',
  '!!',
  '*',
  '~',
  '%s%n',
  ';rm -rf .',
  '&& false',
  'a=b',
  'ümläut 漢字 🦉',
  '\u0001\u007F\u0002',
  '\r\n',
  'EOF\nEOF',
  '#no comment',
];

interface Said {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: string;
}

async function say(
  at: Bench,
  argv: readonly string[],
  more: Parameters<typeof surroundings>[0],
): Promise<Said> {
  const attempt = at.start(
    command([process.execPath, join(programs, 'say.mjs'), ...argv], {
      ...surroundings(more),
    }),
  );
  expect(await attempt.outcome).toEqual({ kind: 'succeeded', exitCode: 0 });
  const said = JSON.parse(attempt.log()) as Said;
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
  return {
    argv: said.argv.map(text),
    env: Object.fromEntries(Object.entries(said.env).map(([name, value]) => [name, text(value)])),
    cwd: text(said.cwd),
    stdin: text(said.stdin),
  };
}

describe('what a process is given arrives unharmed', () => {
  it('hostile arguments, variables and input', async () => {
    const env = Object.fromEntries(hostile.map((value, index) => [`HOSTILE_${index}`, value]));
    const stdin = hostile.join('');
    const said = await say(bench(), hostile, { env, stdin });
    expect(said.argv).toEqual(hostile);
    expect(said.env).toMatchObject(env);
    expect(said.stdin).toBe(stdin);
  });

  it('hostile directories', async () => {
    const at = bench();
    const top = temporaryDirectory();
    for (const name of hostile) {
      if (name === '' || name.includes('/')) continue;
      const cwd = join(top, `-${name}`);
      mkdirSync(cwd);
      expect((await say(at, [], { cwd })).cwd).toBe(cwd);
    }
  });

  it('any text at all', async () => {
    const at = bench();
    const text = fc.string({ unit: 'grapheme', maxLength: 200 }).map((each) => each.replaceAll('\0', '\n'));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), text, async (argv, value) => {
        const said = await say(at, argv, { env: { VALUE: value }, stdin: value });
        expect(said).toMatchObject({ argv, env: { VALUE: value }, stdin: value });
      }),
      { numRuns: 20 },
    );
  });

  it('an argument of 100 KB, and many', async () => {
    const long = `${'x'.repeat(79)}\n`.repeat(1280);
    const many = Array.from({ length: 500 }, (_, index) => `argument ${index}`);
    expect((await say(bench(), [long, ...many], {})).argv).toEqual([long, ...many]);
  });

  it('a script of many lines', async () => {
    const script = `cat <<'EOF'\n${hostile.filter((each) => !each.includes('EOF')).join('\n')}\nEOF\necho "$(printf %s nested)"`;
    const attempt = bench().start(shell(script));
    await attempt.outcome;
    expect(attempt.log()).toBe(`${script.split('\n').slice(1, -2).join('\n')}\nnested\n`);
  });
});

describe('the environment', () => {
  it("is the daemon's without what is for the daemon alone, and with what the run is", async () => {
    const inherited = {
      PATH: process.env['PATH'],
      TZ: 'Asia/Tokyo',
      LANG: 'xx_XX.bad',
      MINE: 'a\nb',
      ts: '1',
      id: '2',
      line: '3',
      value: '4',
    };
    const secret = {
      NODE_OPTIONS: '--no-warnings',
      NOTIFY_SOCKET: '/x',
      WATCHDOG_USEC: '1',
      LISTEN_FDS: '1',
      TSCHED_TOKEN: 'secret',
      BASH_ENV: '/dev/null/x',
      // These would be the spawner's undoing: it would wait no longer, call no function, and find no command.
      TMOUT: '1',
      FUNCNEST: '1',
      EXECIGNORE: '*',
      ts_value: 'its own',
    };
    const said = await say(bench({ ...inherited, ...secret }), [], { env: { ADDED: 'yes' } });
    const { SHLVL, _, BASH_ENV, ...rest } = said.env;
    expect([SHLVL, _, BASH_ENV]).toBeDefined();
    expect(rest).toEqual({
      ...inherited,
      ADDED: 'yes',
      PWD: '/',
      TSCHED_JOB_ID: 'job',
      TSCHED_RUN_ID: expect.stringMatching(/^run-/u),
      TSCHED_ATTEMPT: '1',
      TSCHED_SCHEDULED_AT: '2026-01-01T00:00:00.000Z',
      TSCHED_CAUSE: 'schedule',
      TSCHED_RESULT: expect.stringMatching(/\/run-1\/attempt-1\.result$/u),
    });
  });

  it('says when the job last succeeded', async () => {
    const attempt = bench().start(shell('echo $TSCHED_PREVIOUS_SUCCESS_AT', { previousSuccessAt: 0 }));
    await attempt.outcome;
    expect(attempt.log()).toBe('1970-01-01T00:00:00.000Z\n');
  });

  it('has what the run was given along, one by one and as JSON, whatever it holds', async () => {
    const given = { to: '$(id); "x"\n', 'retry-n': 2, deep: { a: [null] } };
    const attempt = bench().start(
      command([process.execPath, join(programs, 'say.mjs')], {
        ...surroundings({ inheritEnv: false }),
        with: given,
      }),
    );
    await attempt.outcome;
    const { env } = JSON.parse(attempt.log()) as Said;
    const text = (name: string): string => Buffer.from(env[name] ?? '', 'base64').toString();
    const names = ['', '_TO', '_RETRY_N', '_DEEP'].map((end) => `TSCHED_WITH${end}`);
    expect(Object.fromEntries(names.map((name) => [name, text(name)]))).toEqual({
      TSCHED_WITH: JSON.stringify(given),
      TSCHED_WITH_TO: '$(id); "x"\n',
      TSCHED_WITH_RETRY_N: '2',
      TSCHED_WITH_DEEP: '{"a":[null]}',
    });
  });

  it('is nearly empty where the job wants that', async () => {
    const said = await say(bench({ HOME: '/h', LOGNAME: 'l', USER: 'u', MINE: '1' }), [], {
      inheritEnv: false,
      env: { ADDED: ' a\nb' },
    });
    const names = Object.keys(said.env).filter((name) => !name.startsWith('TSCHED_'));
    expect(names.sort()).toEqual(['ADDED', 'HOME', 'LOGNAME', 'PATH', 'USER']);
    expect(said.env).toMatchObject({ ADDED: ' a\nb', HOME: '/h', LOGNAME: 'l', USER: 'u' });
  });

  it('may have names that shells keep for themselves, or have none of', async () => {
    const env = {
      UID: '7',
      PPID: 'x',
      RANDOM: '4',
      IFS: '_',
      SECONDS: 'n',
      'a.b': '1',
      ü: '2',
      LINENO: '3',
      POSIXLY_CORRECT: '1',
      ts_id: '5',
      SHLVL: '9',
      TMOUT: '1',
      EXECIGNORE: '*',
    };
    expect((await say(bench(), ['a b'], { env })).env).toMatchObject(env);
  });

  it('may have no PATH', async () => {
    const { PATH: _, ...inherited } = process.env;
    for (const more of [{}, surroundings({ inheritEnv: false })]) {
      const attempt = bench({ ...inherited, ...('surroundings' in more && { PATH: '/nosuch' }) }).start(
        command(['sh', '-c', 'exit 127'], more),
      );
      expect(await attempt.outcome).toMatchObject({ kind: 'failed', exitCode: 127 });
    }
  });

  it('may not be more than the system takes', async () => {
    const more = surroundings({ env: { HUGE: 'x'.repeat(131_072) } });
    expect(await bench().start(shell('true', more)).outcome).toMatchObject({
      kind: 'not_started',
      message: expect.stringMatching(/HUGE.*too long/u),
    });
  });
});
