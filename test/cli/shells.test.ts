/** Completion where people meet it: in the shells themselves. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bin, directory, plainEnvironment, project, tsched } from './tsched.ts';
import { PATIENCE } from '../support/patience.ts';

let cwd: string;
beforeAll(() => {
  cwd = project(`jobs:
  backup: { cron: "0 0 1 1 *", run: "true" }
  back-office: { cron: "0 0 1 1 *", run: "true" }
  report.daily: { cron: "0 0 1 1 *", run: "true" }
`);
  mkdirSync(join(cwd, 'bin'));
  writeFileSync(join(cwd, 'bin/tsched'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`, {
    mode: 0o755,
  });
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(cwd, `completion.${shell}`), tsched(['completion', shell]).out);
});

/** Runs it in a home of its own; it must say nothing on standard error. */
function answer(
  command: readonly [string, ...string[]],
  more: Readonly<Record<string, string>> = {},
): string[] {
  const [program, ...args] = command;
  const env = plainEnvironment();
  const { stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: {
      ...env,
      ...more,
      PATH: `${join(cwd, 'bin')}:${env['PATH'] ?? ''}`,
      TERM: 'xterm',
      LC_ALL: 'C.UTF-8',
    },
    encoding: 'utf8',
    timeout: PATIENCE,
  });
  if (error !== undefined) throw error;
  expect(stderr).toBe('');
  return stdout.split('\n').slice(0, -1);
}

/** Whether a shell is here and can be driven: why not, for the name of what is skipped. */
const lacks = (shell: string, probe: readonly string[]): string =>
  spawnSync(shell, probe).status === 0 ? '' : ` (skipped: no ${shell})`;

/** What is typed, and what may stand in place of its last word. */
const offers: readonly [string, readonly string[]][] = [
  ['tsched trigger ', ['backup', 'back-office', 'report.daily']],
  ['tsched trigger back', ['backup', 'back-office']],
  ['tsched pause backup rep', ['report.daily']],
  ['tsched trig', ['trigger']],
  ['tsched trigger --wa', ['--wait']],
  ['tsched completion ', ['bash', 'zsh', 'fish']],
  ['tsched start jo', ['jobs.yaml']],
];
const sorted = (words: readonly string[]): string[] => words.map((word) => word.trim()).sort();

const noBash = lacks('bash', ['-c', 'complete -p || true']);
describe.skipIf(noBash !== '')(`bash${noBash}`, () => {
  it.each(offers)('completes "%s"', (typed, wanted) => {
    const words = typed.split(' ');
    const script = `source completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_tsched; if [ \${#COMPREPLY[@]} = 0 ]; then compgen -f -- "\${!#}"; else printf '%s\\n' "\${COMPREPLY[@]}"; fi`;
    expect(sorted(answer(['bash', '-c', script, 'bash', ...words]))).toEqual(sorted(wanted));
  });
});

const noFish = lacks('fish', ['--version']);
describe.skipIf(noFish !== '')(`fish${noFish}`, () => {
  it.each(offers)('completes "%s"', (typed, wanted) => {
    const script = 'source completion.fish; complete --do-complete $argv[1]';
    const lines = answer(['fish', '--no-config', '-c', script, typed]);
    expect(sorted(lines.map((line) => line.split('\t')[0] ?? ''))).toEqual(sorted(wanted));
  });

  it('tells what each is', () => {
    const script = 'source completion.fish; complete --do-complete "tsched dra"';
    expect(answer(['fish', '--no-config', '-c', script])).toEqual([
      expect.stringMatching(/^drain\tstop the daemon when/),
    ]);
  });
});

const noZsh = lacks('zsh', ['-fc', 'zmodload zsh/zpty && autoload -Uz +X compinit']);
describe.skipIf(noZsh !== '')(`zsh${noZsh}`, () => {
  // An interactive shell in a terminal; what completion offers is overheard at compadd, through which all of it goes.
  const inner = `stty rows 100 columns 200
autoload -Uz compinit && compinit -u -D
compadd() {
  builtin compadd "$@" || return
  local -a found; builtin compadd -O found "$@"; offered+=($found)
}
typeset -a offered
tell() { print -r -- "<\${(j: :)offered}>"; offered=() BUFFER= }
zle -N tell && bindkey '^T' tell
PS1= RPS1= ; unsetopt zle_bracketed_paste
`;
  const driver = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source ./inner.zsh; source $2; print '<re''ady>'"
zpty -r shell text '*<ready>*' || exit 1
zpty -w -n shell "$1"$'\\t\\x14'
zpty -r shell text '*<[^<>]#>*' || exit 1
print -rl -- $\{=$\{$\{text##*<}%%>*}}
zpty -d shell
`;
  const ask = (typed: string, from: string, more = {}): string[] => {
    writeFileSync(join(cwd, 'inner.zsh'), inner);
    writeFileSync(join(cwd, 'driver.zsh'), driver);
    return answer(['zsh', '-f', '-o', 'extendedglob', 'driver.zsh', typed, from], more);
  };

  it.each(offers)('completes "%s"', (typed, wanted) => {
    expect(sorted(ask(typed, './completion.zsh'))).toEqual(sorted(wanted));
  });

  it('completes with the script as a file on the fpath', () => {
    const folder = directory();
    writeFileSync(join(folder, '_tsched'), tsched(['completion', 'zsh']).out);
    const found = ask('tsched trigger rep', '/dev/null', { FPATH: `${folder}:${fpath()}` });
    expect(found).toEqual(['report.daily']);
  });

  function fpath(): string {
    return answer(['zsh', '-fc', 'print -r -- $FPATH'])[0] ?? '';
  }
});
