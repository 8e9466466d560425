/** The command line: every command, option and example, and nothing else. What a command does is loaded when it is called. */
import { printable } from '../observe/text.ts';
import { exit } from './exit.ts';
import { Command, CommanderError } from './options.ts';
import { addNodes } from './program-cluster.ts';
import { addExplain, addGraph, addList, addNext, addSimulate, addTop } from './program-look.ts';
import {
  addCancel,
  addDrain,
  addPause,
  addPublish,
  addAdd,
  addReload,
  addRemove,
  addResume,
  addReplay,
  addRetry,
  addStop,
  addTrigger,
} from './program-operate.ts';
import { addDb, addHistory, addLogs, addStatus, addWhy } from './program-past.ts';
import { addRunOnce, addStart, addWorker } from './program-run.ts';
import { addCompletion, addInstall, addNotify, addToken } from './program-set-up.ts';
import { addImport, addInit, addSchema, addValidate } from './program-write.ts';
import type { Seen } from './seen.ts';
import type { Environment, Session } from './session.ts';
import { version } from './version.ts';

/** Runs the command that `args` names. Gives its exit code; what the command throws is the caller's to tell. */
export async function run(args: readonly string[], session: Session): Promise<number> {
  let code: number = exit.ok;
  const program = build(session, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Asked for, help is an answer; shown because nothing was asked for (or help on nothing that is there), it is not.
    return error.exitCode === 0 ? exit.ok : exit.usage;
  }
  return code;
}

/** All commands, put together. */
export function build(session: Session, end: Seen['end']): Command {
  const program = new Command('tsched')
    .description('A cron daemon. One YAML file says what runs and when; tsched keeps that promise.')
    .version(version, '-V, --version')
    .helpOption('-h, --help', 'show help; also: tsched help <command>')
    .configureOutput({
      writeOut: (text) => session.out(text),
      writeErr: (text) => session.err(text),
      getOutHasColors: () => session.colorOn('out'),
      getErrHasColors: () => session.colorOn('err'),
      outputError: (text, write) => write(escapeLines(text).replace(/^error: /, 'tsched: ')),
    })
    .showHelpAfterError('(see tsched --help)')
    .configureHelp({ styleTitle: (title) => session.painter('out')('bold', title) })
    .exitOverride()
    .addHelpText('after', examples);

  const seen = { session, end, whole: () => program };
  for (const [group, adders] of Object.entries(groups)) {
    program.commandsGroup(`${group}:`);
    for (const add of adders) add(program, seen);
  }
  for (const command of program.commands) finish(command, session);
  for (const command of program.commands.flatMap(({ commands }) => commands)) finish(command, session);
  return program;
}

/** In the order of the help. */
const groups: Readonly<Record<string, readonly ((program: Command, seen: Seen) => void)[]>> = {
  Run: [addStart, addWorker, addRunOnce],
  Look: [addList, addNext, addSimulate, addGraph, addExplain],
  'Look back': [addStatus, addHistory, addLogs, addWhy, addDb],
  Operate: [
    addTrigger,
    addCancel,
    addRetry,
    addReplay,
    addPause,
    addResume,
    addAdd,
    addRemove,
    addReload,
    addPublish,
    addStop,
    addDrain,
    addTop,
    addNodes,
  ],
  'Write a job file': [addInit, addValidate, addSchema, addImport],
  'Set up': [addToken, addNotify, addInstall, addCompletion],
};

const examples = `
Start here:
  tsched init                          write a commented jobs.yaml
  tsched validate                      check it: every error with its line and what to write instead
  tsched start                         run it; Ctrl-C stops gracefully, twice at once

The job file is --file, else $TSCHED_FILE, else ./jobs.yaml, else /etc/tsched/jobs.yaml.
Exit codes: 0 well, 1 the answer is no, 64 usage or unknown id, 66 no such file, 69 no daemon to talk to,
70 our bug, 73 cannot create, 75 already running or locked, 77 not allowed, 78 bad job file. run-once gives the job's own.`;

interface Common {
  readonly color?: boolean;
}

/** What every command has, added last so that it stands last in its help. */
function finish(command: Command, session: Session): void {
  command
    .copyInheritedSettings(command.parent ?? command)
    .option('--color', 'colour even when this is no terminal')
    .option('--no-color', 'no colour; so does NO_COLOR')
    .showHelpAfterError(`(see tsched ${nameOf(command)} --help)`)
    .hook('preAction', (_, acting) => {
      session.color = acting.opts<Common>().color;
      takeNo(acting, session.environment);
    });
}

/** As it is typed: `db check`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${parent.name()} ${command.name()}`;
}

/** `TSCHED_POLL=0` says no; commander looks only whether there is such a variable. */
function takeNo(command: Command, environment: Environment): void {
  for (const option of command.options) {
    const key = option.attributeName();
    if (option.required || option.optional || command.getOptionValueSource(key) !== 'env') continue;
    const value = environment[option.envVar ?? ''] ?? '';
    if (/^(?:|0|no|off|false)$/i.test(value)) command.setOptionValue(key, option.negate);
  }
}

/** Commander repeats what was typed. */
function escapeLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
