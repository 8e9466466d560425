/** Completion for shells: each asks `tsched complete` what may stand next, so that all of it is told by the commands themselves. */
import type { Argument, Command, Option } from './options.ts';
import { idsInFile } from './job-file.ts';
import type { ClientOptions } from './client.ts';
import { liveListing } from './live-list.ts';
import type { ToldCluster } from './nodes.ts';
import { printable } from '../observe/text.ts';
import { isFailure } from './exit.ts';
import type { Session } from './session.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_tsched() {
  local IFS=$'\\n' found
  found=$(tsched complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _tsched tsched
`,
  zsh: `#compdef tsched
_tsched() {
  local -a found
  found=("\${(@f)$(tsched complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found//:/\\\\:}")
  found=("\${(@)found/$'\\t'/:}")
  if [[ -n "\${found[1]}" ]]; then _describe tsched found; else _files; fi
}
if [[ "\${funcstack[1]}" = _tsched ]]; then _tsched; else compdef _tsched tsched; fi
`,
  fish: `function __tsched_complete
  set -l words (commandline -opc) (commandline -ct)
  tsched complete -- $words[2..-1] 2>/dev/null
end
complete -c tsched -n 'test -n "$(__tsched_complete)"' -f
complete -c tsched -a '(__tsched_complete)'
`,
};

export function completion(shell: (typeof SHELLS)[number], session: Session): void {
  session.out(SCRIPTS[shell]);
}

interface Choice {
  readonly value: string;
  readonly about: string;
}

/** Prints what may stand in place of the last word, one a line, with a tab and what it is. Whatever goes wrong, it prints less. */
export async function complete(words: readonly string[], program: Command, session: Session): Promise<void> {
  const before = words.slice(0, -1);
  const begun = words.at(-1) ?? '';
  const choices = await choicesAfter(before, { program, begun, session });
  for (const { value, about } of choices)
    if (value.startsWith(begun) && PLAIN.test(value)) session.out(`${value}\t${printable(about)}\n`);
}

/** Shells expand what they are given: nothing else may come to them, whatever a daemon elsewhere says that its jobs are called. */
const PLAIN = /^[A-Za-z0-9._-]+$/;

async function choicesAfter(
  before: readonly string[],
  {
    program,
    begun,
    session,
  }: { readonly program: Command; readonly begun: string; readonly session: Session },
): Promise<readonly Choice[]> {
  const { command, given, option, values } = placeOf(before, program);
  if (option !== undefined) return (option.argChoices ?? []).map((value) => ({ value, about: '' }));
  if (command.commands.length > 0 && given === 0 && !begun.startsWith('-')) {
    return command.commands
      .filter(isShown)
      .map((each) => ({ value: each.name(), about: each.description() }));
  }
  if (begun.startsWith('-')) {
    const shown = command.options.filter(({ hidden }) => !hidden);
    return shown.map(({ long, short, description }) => ({ value: long ?? short ?? '', about: description }));
  }
  const argument = argumentAt(command, given);
  if (argument?.argChoices !== undefined) return argument.argChoices.map((value) => ({ value, about: '' }));
  if (argument?.name() === 'node') return nodes(values, session);
  return argument !== undefined && TAKES_JOB.has(argument.name()) ? jobs(values, session) : [];
}

/** Names of arguments that a job's id may stand for. */
const TAKES_JOB: ReadonlySet<string> = new Set(['id', 'name']);
/** Of these the name is no job's. */
const OTHERS: ReadonlySet<string> = new Set(['token']);

function argumentAt(command: Command, index: number): Argument | undefined {
  if (OTHERS.has(command.name())) return command.registeredArguments.slice(0, 1)[index];
  const all = command.registeredArguments;
  const last = all.at(-1);
  return all[index] ?? (last?.variadic === true ? last : undefined);
}

interface Place {
  readonly command: Command;
  /** How many arguments it has been given. */
  readonly given: number;
  /** The one that waits for its value. */
  readonly option: Option | undefined;
  /** What options were given, by their name without dashes. */
  readonly values: ReadonlyMap<string, string>;
}

function placeOf(words: readonly string[], program: Command): Place {
  let command = program;
  let given = 0;
  let option: Option | undefined;
  const values = new Map<string, string>();
  for (const word of words) {
    if (option !== undefined) {
      values.set(option.name(), word);
      option = undefined;
    } else if (word.startsWith('-')) {
      const [, name = word, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
      const found = command.options.find(({ long, short }) => name === long || name === short);
      if (value !== undefined) values.set(name.slice(2), value);
      else option = found?.required === true ? found : undefined;
    } else {
      const inner: Command | undefined =
        given === 0
          ? command.commands.find((each) => each.name() === word || each.aliases().includes(word))
          : undefined;
      if (inner === undefined) given += 1;
      else command = inner;
    }
  }
  return { command, given, option, values };
}

function isShown(command: Command): boolean {
  return command.name() !== 'complete' && command.name() !== 'help';
}

/** Of the file that is named; else of the daemon, wherever the words say that it is; else of the file there is. */
async function jobs(values: Place['values'], session: Session): Promise<readonly Choice[]> {
  const file = values.get('file');
  const live = file === undefined ? await listedLive(values, session) : undefined;
  if (live !== undefined) return live;
  const ids = await idsInFile(file ?? session.environment.TSCHED_FILE, session);
  return ids.map((value) => ({ value, about: 'job' }));
}

/** Of the cluster that the daemon belongs to. */
async function nodes(values: Place['values'], session: Session): Promise<readonly Choice[]> {
  const { Client } = await import('./client.ts');
  try {
    const told = await new Client(placesIn(values), session).get<ToldCluster>('/nodes');
    return told.nodes.map(({ name, state }) => ({ value: name, about: state }));
  } catch (error) {
    if (isFailure(error)) return [];
    throw error;
  }
}

/** Where the words say that the daemon is. */
function placesIn(values: Place['values']): ClientOptions {
  const [stateDir, socket, url] = ['state-dir', 'socket', 'url'].map((name) => values.get(name));
  return {
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(socket === undefined ? {} : { socket }),
    ...(url === undefined ? {} : { url }),
  };
}

async function listedLive(values: Place['values'], session: Session): Promise<readonly Choice[] | undefined> {
  try {
    const listing = await liveListing(placesIn(values), { session, isNamed: false });
    return listing?.jobs.map(({ id, inWords }) => ({ value: id, about: inWords }));
  } catch (error) {
    if (isFailure(error)) return undefined;
    throw error;
  }
}
