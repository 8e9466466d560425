/** What the commands that look show of a daemon that runs: real processes over a real socket. */
import { spawn } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { infoOf, startAsked } from '../http/support.ts';
import { until, type Daemon, type Later } from '../support/daemon.ts';
import { bin, directory, plainEnvironment, project, tsched, type Ran } from './tsched.ts';

const jobs = `
jobs:
  backup: { cron: "0 0 1 1 *", timezone: Europe/Berlin, run: "exit 3", description: "A \\e[2J copy" }
  gone: { cron: "0 0 1 1 *", run: "true", enabled: false }
  waits: { cron: "0 0 1 1 *", timezone: Europe/Berlin, run: sleep 60 }
`;

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

let daemon: Daemon;
let socket: string;
beforeAll(async () => {
  daemon = await startAsked({ jobs, args: ['--no-watch'], later });
  socket = infoOf(daemon).socket ?? '';
  const asked = here('trigger', 'backup', '--wait');
  if (asked.code !== 3) throw new Error(asked.err);
  here('trigger', 'waits');
  await daemon.waitFor('a run', ({ event, job }) => event === 'attempt_started' && job === 'waits');
});

const env = (): Record<string, string> => ({ TSCHED_STATE_DIR: daemon.stateDirectory });
const here = (...args: string[]): Ran => tsched(args, { cwd: daemon.directory, env: env() });
/** Somewhere else, with nothing but the socket's name. */
const there = (...args: string[]): Ran => tsched([...args, '--socket', socket]);
const parsed = ({ out }: Ran): ReturnType<JSON['parse']> => JSON.parse(out);

describe('tsched list', () => {
  it('tells the jobs that the daemon has, not those of a file it has not read', () => {
    writeFileSync(daemon.file, jobs.replace('gone:', 'new:'));
    const { code, out } = here('list');
    writeFileSync(daemon.file, jobs);
    expect(code).toBe(0);
    expect(out).toMatch(/^ID +SCHEDULE +ZONE +NEXT +LAST +RESULT +RECENT +DESCRIPTION\nbackup /);
    expect(out).toMatch(
      /\nbackup .* exit 3 .*x +A \\x1b\[2J copy\ngone +.* disabled +never\nwaits .*running/,
    );
    expect(out).toMatch(
      /\n3 jobs, 1 failing, 1 disabled in .*jobs\.yaml\. .*Daemon: running for \S+ \(pid \d+\)\.\n$/,
    );
    expect(out).not.toContain('\u001b');
  });

  it('has the same shape with and without a daemon', () => {
    const live = parsed(here('list', '--json')).jobs;
    const file = parsed(tsched(['list', '--json', '--file', daemon.file])).jobs;
    expect(live.map(({ id }: { id: string }) => id)).toEqual(['backup', 'gone', 'waits']);
    for (const [index, job] of live.entries()) expect(Object.keys(job)).toEqual(Object.keys(file[index]));
    expect(live[0]).toMatchObject({
      nextAt: file[0].nextAt,
      nextLocal: file[0].nextLocal,
      scheduleInWords: file[0].scheduleInWords,
      lastRun: { outcome: { kind: 'failed', exitCode: 3 } },
      recent: ['failed'],
    });
  });

  it('is of the file that is meant, where the daemon runs another', () => {
    const cwd = project('jobs:\n  other: { every: 1h, run: "true" }\n');
    const { out } = tsched(['list'], { cwd, env: env() });
    expect(out).toContain('other  Every 1h');
    expect(out).toContain('It runs another file: ');
  });

  it('needs no file where a daemon is', () => {
    const without = tsched(['list'], { env: env() });
    const named = there('list');
    for (const { code, out } of [without, named]) {
      expect(code).toBe(0);
      expect(out).toMatch(/\nbackup .*\ngone .*\nwaits /);
    }
    expect(tsched(['list', '--socket', join(directory(), 'none')]).code).toBe(69);
  });
});

describe('tsched status', () => {
  it('is no longer well when the daemon hangs, or its socket is gone, and waits for neither without end', () => {
    const silent = (): void => {
      const told = here('status');
      expect(told.code).toBe(1);
      expect(told.out).toMatch(/^daemon .*\n +it does not answer at \S+: it begins, ends or hangs;.*\nfile /);
    };
    daemon.signal('SIGSTOP');
    try {
      silent();
      expect(parsed(here('status', '--json'))).toMatchObject({
        healthy: false,
        running: true,
        answers: false,
      });
      // While it is stopped: else it may find that out, and make another.
      renameSync(socket, `${socket}.away`);
      silent();
      renameSync(`${socket}.away`, socket);
    } finally {
      daemon.signal('SIGCONT');
    }
    expect(parsed(here('status', '--json'))).toMatchObject({ healthy: true, running: true, answers: true });
  });

  it('adds what the daemon says when it is asked', () => {
    const { code, out } = here('status');
    expect(code).toBe(0);
    expect(out).toMatch(
      /\nactive +1 +waits \(running\)\nfailing +1 +backup\npaused +0\nnext +(?:backup|waits) in /,
    );
    const told = parsed(here('status', '--json'));
    expect(told).toMatchObject({
      healthy: true,
      stopping: false,
      waiting: 0,
      jobs: { scheduled: 2, disabled: 1 },
      next: { at: expect.any(String) },
    });
  });

  it('is of a daemon elsewhere too', () => {
    const { code, out } = there('status');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^daemon +tsched .* pid \d+\nfile .*3 jobs.*\nstore +well\nactive +1 +waits\nfailing +1 +backup\n/,
    );
    expect(parsed(there('status', '--json'))).toMatchObject({
      healthy: true,
      running: true,
      daemon: { pid: daemon.pid, jobs: 3 },
      active: [{ jobId: 'waits', state: 'running' }],
    });
  });
});

/** Begins `tsched`, and shows what it wrote so far. */
function beginning(args: readonly string[], cwd = daemon.directory) {
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...plainEnvironment(), ...env() } });
  const said = { out: '', err: '', code: undefined as number | null | undefined };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  child.on('close', (code) => (said.code = code));
  later(() => void child.kill('SIGKILL'));
  return { child, said };
}

describe('a live view', () => {
  it('is printed anew when something happens, plain where there is no terminal', async () => {
    const { child, said } = beginning(['list', '--watch', '--json']);
    await until('the first', () => said.out.includes('\n'));
    expect(JSON.parse(said.out.split('\n')[0] ?? '').jobs[0]).toMatchObject({
      id: 'backup',
      state: 'scheduled',
    });
    here('pause', 'backup');
    await until('the change', () => said.out.includes('"state":"paused"'));
    expect(said.out).not.toContain('\u001b');
    here('resume', 'backup');
    child.kill('SIGINT');
  });

  it('of the whole daemon has what runs first, then what failed', async () => {
    const { child, said } = beginning(['top']);
    await until('the first', () => said.out.includes('backup'));
    expect(said.out).toMatch(
      /^tsched \S+ running for .* pid \d+ {3}next .*\njobs 3 {3}paused 0 {3}failing 1 {3}active 1 /,
    );
    expect(said.out).toMatch(/\nRUN +JOB +FOR +ATT\n[-0-9a-f]{36} +waits +\S+ +1 +running\n/);
    expect(said.out).toMatch(/\nID +NEXT +LAST +RESULT\nwaits .*\nbackup .* exit 3 .*\ngone +disabled /);
    child.kill('SIGINT');
    const { code, out } = tsched(['top', '--json', '--socket', join(directory(), 'none')]);
    expect({ code, out }).toEqual({ code: 69, out: '' });
  });

  it('leaves the terminal as it was', async () => {
    const line = `TERM=xterm ${process.execPath} ${bin} top --state-dir ${daemon.stateDirectory}`;
    const child = spawn('script', ['-qec', line, '/dev/null'], { env: plainEnvironment() });
    let out = '';
    let code: number | null | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.on('close', (ended) => (code = ended));
    later(() => void child.kill('SIGKILL'));
    await until('the view', () => out.includes('backup'));
    expect(out).toContain('\u001b[?1049h');
    child.stdin.write('q');
    await until('its end', () => code !== undefined);
    expect(code).toBe(0);
    expect(out.trimEnd().endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l')).toBe(true);
  });

  it('ends with 69 when the daemon goes away', async () => {
    const other = await startAsked({ jobs, later });
    const { said } = beginning(['top', '--state-dir', other.stateDirectory]);
    await until('the view', () => said.out.includes('backup'));
    other.signal('SIGKILL');
    await until('its end', () => said.code !== undefined);
    expect(said).toMatchObject({ code: 69, err: expect.stringContaining(' has gone away\n') });
  });
});

describe('completion', () => {
  it.each([
    [['tr'], ['trigger']],
    [
      ['trigger', ''],
      ['backup', 'gone', 'waits'],
    ],
    [['pause', 'gone', 'b'], ['backup']],
    [['trigger', '--wait', 'w'], ['waits']],
    [['trigger', '--wa'], ['--wait']],
    [
      ['db', ''],
      ['check', 'backup', 'prune'],
    ],
    [['token', 'create', ''], []],
    [['token', 'create', 'x', '--scope', 'a'], ['admin']],
    [['completion', 'z'], ['zsh']],
    [['nonsense', 'b'], []],
  ])('after %j offers %j', (words, wanted) => {
    const { code, out, err } = here('complete', '--', ...words);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split('\t')[0]),
    ).toEqual(wanted);
  });

  it('offers those of the file where no daemon runs, and nothing where there is neither', () => {
    const cwd = project('jobs:\n  mine: { every: 1h, run: "true" }\n');
    expect(tsched(['complete', '--', 'run-once', ''], { cwd }).out).toBe('mine\tjob\n');
    expect(tsched(['complete', '--', 'run-once', ''])).toMatchObject({ code: 0, out: '', err: '' });
  });

  it('offers those of the file or the daemon that the words name', () => {
    const cwd = project('jobs:\n  mine: { every: 1h, run: "true" }\n', {
      'other.yaml': 'jobs:\n  theirs: { every: 1h, run: "true" }\n',
    });
    const offered = (...words: string[]): string[] =>
      [...tsched(['complete', '--', ...words], { cwd }).out.matchAll(/^(\S+)\t/gm)].map(([, id = '']) => id);
    expect(offered('next', '-f', 'other.yaml', '')).toEqual(['theirs']);
    expect(offered('next', '--file=other.yaml', '')).toEqual(['theirs']);
    expect(offered('trigger', '--socket', socket, 'b')).toEqual(['backup']);
    expect(offered('trigger', `--state-dir=${daemon.stateDirectory}`, '')).toEqual([
      'backup',
      'gone',
      'waits',
    ]);
    expect(offered('trigger', '--socket', join(cwd, 'nothing'), '')).toEqual(['mine']);
  });
});

describe('the manual page', () => {
  it('has every command and option, and nothing that troff would take for its own', () => {
    const page = readFileSync(join(import.meta.dirname, '../../dist/tsched.1'), 'utf8');
    const { out } = tsched(['--help']);
    const commands = [...out.matchAll(/^ {2}([a-z][a-z-]+)(?:\|\w+)? /gm)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(20);
    for (const name of commands.filter((name) => name !== 'help' && name !== 'tsched')) {
      expect(page).toContain(`.SS tsched ${name?.replaceAll('-', '\\-')}`);
    }
    expect(page).toContain('.B \\-\\-dry\\-run');
    expect(page).toContain('tsched trigger backup');
    const macros = new Set([...page.matchAll(/^[.'](\S*)/gm)].map(([, macro]) => macro));
    expect(macros).toEqual(new Set(['TH', 'SH', 'B', 'SS', 'TP', 'PP', 'nf', 'fi']));
    expect(page).not.toMatch(/^\.SS tsched complete$/m);
    expect(page).toMatch(/^[\0-~]*$/);
  });
});
