/** The programs that can be the spawner, and how each is told what to start. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { encodeLines, encodeTexts } from './launch-request.ts';
import type { LaunchRequest } from './launch.ts';
import { SPAWNER_PERL, WRAPPER_SCRIPT } from './spawner-perl.ts';
import { LAUNCHER_SCRIPT, SPAWNER_SCRIPT } from './spawner-script.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Stdio = ('pipe' | 'ignore' | number)[];

export interface SpawnerProgram {
  readonly argv: readonly string[];
  /** Descriptors beside standard input and output, which are pipes. `inherit`: the daemon's own output is among them. */
  stdio(inherit: boolean): Stdio;
  /** What the program itself is started with. */
  environment(inherited: Environment, inherit: boolean): Record<string, string | undefined>;
  /** What it is to read first. */
  greeting(inherited: Environment): string;
  encode(batch: readonly Numbered[]): string;
  /** Makes it forget its ended children; empty where it does so by itself. */
  readonly reap: string;
}

interface Numbered {
  readonly id: number;
  readonly request: LaunchRequest;
}

/** That of the argv, by default the best there is on this machine; and another, should that never say a word. */
export function spawnerPrograms(argv?: readonly string[]): {
  best: SpawnerProgram;
  fallback: SpawnerProgram;
} {
  const path = ['/usr/bin/perl', '/usr/local/bin/perl'].find((each) => existsSync(each));
  const chosen = argv ?? (path === undefined ? preferredShell() : [path]);
  return basename(chosen[0] ?? '') === 'perl'
    ? { best: perl(chosen), fallback: shell(preferredShell()) }
    : { best: shell(chosen), fallback: shell(chosen) };
}

/**
 * Bash can give a process a group of its own; see spawner-script.ts. With `-p` it reads no BASH_ENV. Without `--norc` it reads ~/.bashrc,
 * because its standard input is a socket, from which it concludes that it was started by rshd.
 */
function preferredShell(): readonly string[] {
  const bash = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'].find((path) => existsSync(path));
  return bash === undefined ? ['/bin/sh'] : [bash, '--norc', '-p'];
}

function shell(argv: readonly string[]): SpawnerProgram {
  return {
    argv: [...argv, '-c', 'eval "$TSCHED_SPAWNER"', 'tsched-spawner'],
    // 5 and 6, where processes write that have no output file. Else nothing should hold the daemon's own open.
    stdio: (inherit) => ['pipe', 'pipe', 'ignore', 'ignore', 'ignore', ...(inherit ? [1, 2] : [])],
    environment: (inherited) => ({
      ...inherited,
      TSCHED_SPAWNER: SPAWNER_SCRIPT,
      TSCHED_LAUNCHER: LAUNCHER_SCRIPT,
    }),
    greeting: () => '',
    encode: (batch) => REAP + batch.map(({ id, request }) => encodeLines(id, request)).join(''),
    reap: REAP,
  };
}

/** Shells that reap their children only when told are told with each batch, and when there is nothing else to do. */
const REAP = '0\n';

function perl(argv: readonly string[]): SpawnerProgram {
  return {
    argv: [...argv, '-e', 'eval $ENV{TSCHED_SPAWNER}; die $@ if $@', 'tsched-spawner'],
    stdio: (inherit) => ['pipe', 'pipe', 'ignore', ...(inherit ? [1, 2] : [])],
    environment: (inherited, inherit) => ({
      ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith('PERL'))),
      TSCHED_SPAWNER: SPAWNER_PERL,
      TSCHED_LAUNCHER: LAUNCHER_SCRIPT,
      TSCHED_WRAPPER: WRAPPER_SCRIPT,
      TSCHED_OUTPUTS: inherit ? '3 4' : '',
    }),
    greeting: (inherited) =>
      frame(
        Object.entries(inherited).flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`)),
      ),
    encode: (batch) =>
      frame([
        batch.map(({ id }) => id).join(' '),
        ...batch.flatMap(({ id, request }) => encodeTexts(id, request)),
      ]),
    reap: '',
  };
}

function frame(texts: readonly (string | number)[]): string {
  const text = texts.join('\0');
  return `${Buffer.byteLength(text)}\n${text}`;
}
