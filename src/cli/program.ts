/** The command line: every command, option and example, and nothing else. What a command does is loaded when it is called. */
import { printable } from '../observe/text.ts';
import { exit } from './exit.ts';
import {
  apiOptions,
  Command,
  CommanderError,
  countOption,
  daemonOptions,
  fileOption,
  jsonOption,
  logOptions,
  scopeOption,
  stateOption,
  zoneOption,
} from './options.ts';
import { addDb, addHistory, addLogs, addStatus, addWhy, type Seen } from './program-past.ts';
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

function build(session: Session, end: Seen['end']): Command {
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

  const seen = { session, end };
  program.commandsGroup('Run:');
  addStart(program, seen);
  addRunOnce(program, seen);
  program.commandsGroup('Look:');
  addList(program, seen);
  addNext(program, seen);
  addExplain(program, seen);
  program.commandsGroup('Look back:');
  addStatus(program, seen);
  addHistory(program, seen);
  addLogs(program, seen);
  addWhy(program, seen);
  addDb(program, seen);
  program.commandsGroup('Write a job file:');
  addInit(program, seen);
  addValidate(program, seen);
  addSchema(program, seen);
  addImport(program, seen);
  program.commandsGroup('Operate:');
  addToken(program, seen);
  addNotify(program, seen);
  program.commandsGroup('Set up:');
  addInstall(program, seen);
  for (const command of program.commands) finish(command, session);
  for (const command of program.commands.flatMap(({ commands }) => commands)) finish(command, session);
  return program;
}

const examples = `
Start here:
  tsched init                          write a commented jobs.yaml
  tsched validate                      check it: every error with its line and what to write instead
  tsched start                         run it; Ctrl-C stops gracefully, twice at once

The job file is --file, else $TSCHED_FILE, else ./jobs.yaml, else /etc/tsched/jobs.yaml.
Exit codes: 0 well, 1 the answer is no, 64 usage or unknown id, 66 no such file, 70 our bug,
73 cannot create, 75 already running or locked, 77 not allowed, 78 bad job file. run-once gives the job's own.`;

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

function addStart(program: Command, { session, end }: Seen): void {
  const start = program
    .command('start')
    .argument('[file]', 'the job file')
    .description('run the daemon, in the foreground')
    .addOption(fileOption());
  for (const option of daemonOptions()) start.addOption(option);
  start.optionsGroup('API:');
  for (const option of apiOptions()) start.addOption(option);
  start.optionsGroup('Log:');
  for (const option of logOptions()) start.addOption(option);
  start
    .addHelpText(
      'after',
      `
Signals:
  INT, TERM   stop gracefully: no new runs, active ones may end within --drain; a second one stops now
  HUP, USR2   read the job file again (and open the log file anew)
  QUIT        stop now

Examples:
  tsched start jobs.yaml
  tsched start /etc/tsched/jobs.yaml --state-dir /var/lib/tsched --log-format json`,
    )
    .action(async (file, options) => {
      const { start } = await import('./start.ts');
      end(await start(file, options, session));
    });
}

function addRunOnce(program: Command, { session, end }: Seen): void {
  program
    .command('run-once')
    .argument('<id>', 'the job')
    .description('run one job now, here, and end with its exit code; needs no daemon')
    .addOption(fileOption())
    .option('--no-retry', 'one attempt, whatever the job says')
    .option('-q, --quiet', "only the job's own output, and why it could not start")
    .addHelpText(
      'after',
      `
Its output goes to ours untouched. Ctrl-C once asks it to end, twice kills it; closing the terminal
asks it too.
Exit codes: the job's own; 124 timed out, 125 tsched failed, 126 not executable, 127 not found,
128+n ended by signal n.

Example:
  tsched run-once backup && echo done`,
    )
    .action(async (id, options) => {
      const { runOnce } = await import('./run-once.ts');
      end(await runOnce(id, options, session));
    });
}

function addList(program: Command, { session }: Seen): void {
  program
    .command('list')
    .alias('ls')
    .description('every job: its schedule in words, when it is next due, how it last ran')
    .addOption(fileOption())
    .addOption(stateOption())
    .addOption(zoneOption("show times in this zone instead of each job's"))
    .addOption(jsonOption())
    .action(async (options) => {
      const { list } = await import('./list.ts');
      await list(options, session);
    });
}

function addNext(program: Command, { session }: Seen): void {
  program
    .command('next')
    .argument('[id]', 'one job; else all enabled ones together')
    .description('the coming times, clock changes marked')
    .addOption(fileOption())
    .addOption(countOption(10))
    .option(
      '--from <time>',
      'start there instead of now: 2027-03-27, 2027-03-27T02:00 (local to the job, without id to the file), 2027-03-27T01:00:00Z',
    )
    .addOption(zoneOption("show times in this zone instead of each job's"))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  tsched next                          what runs next, of all jobs
  tsched next backup --count 4 --from 2026-10-24`,
    )
    .action(async (id, options) => {
      const { next } = await import('./next.ts');
      await next(id, options, session);
    });
}

function addExplain(program: Command, { session }: Seen): void {
  program
    .command('explain')
    .argument('<cron>', 'an expression, in quotes')
    .description('a cron expression in words, its traps and its next times')
    .addOption(countOption(5))
    .addOption(zoneOption("the zone it is in (default: the system's)"))
    .option('--id <job>', 'the job id that H is drawn from')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  tsched explain "30 2 * * 1-5"
  tsched explain "0 0 13 * 5" --tz Europe/Berlin`,
    )
    .action(async (expression, options) => {
      const { explain } = await import('./explain.ts');
      explain(expression, options, session);
    });
}

function addInit(program: Command, { session }: Seen): void {
  program
    .command('init')
    .argument('[file]', 'its name', 'jobs.yaml')
    .description('write a commented job file to start from')
    .action(async (file) => {
      const { init } = await import('./init.ts');
      init(file, session);
    });
}

function addValidate(program: Command, { session, end }: Seen): void {
  program
    .command('validate')
    .argument('[file...]', 'job files')
    .description('check job files: all errors at once, with their lines')
    .addOption(fileOption())
    .option('--strict', 'warnings fail too')
    .addOption(jsonOption())
    .addHelpText('after', '\nExit codes: 0 good, 66 no such file, 78 errors (or, with --strict, warnings).')
    .action(async (files, options) => {
      const { validate } = await import('./validate.ts');
      end(await validate(files, options, session));
    });
}

function addToken(program: Command, { session, end }: Seen): void {
  program
    .command('token')
    .argument('<action>', 'create, list or revoke')
    .argument('[name]', 'whom or what it is for')
    .description('tokens that open the API over TCP (start --listen)')
    .addOption(scopeOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A token is shown once, when it is made; only its hash is kept. A revoked one is refused within a second.

Examples:
  tsched token create grafana                      may look
  tsched token create deploy --scope admin         may do everything
  tsched token revoke deploy`,
    )
    .action(async (action, name, options) => {
      const { token } = await import('./token.ts');
      end(token({ action, name }, options, session));
    });
}

function addNotify(program: Command, { session, end }: Seen): void {
  program
    .command('notify')
    .description('try out who is told: tsched notify test <notifier>')
    .command('test')
    .argument('<notifier>', 'one of those under notifiers:')
    .description('send a message that says it is a test; needs no daemon')
    .addOption(fileOption())
    .addHelpText('after', '\nExit codes: 0 it was told, 1 it was not, 64 no such notifier.')
    .action(async (notifier, options) => {
      const { notifyTest } = await import('./notify.ts');
      end(await notifyTest(notifier, options, session));
    });
}

function addSchema(program: Command, { session }: Seen): void {
  program
    .command('schema')
    .description('print the JSON Schema of the job file, for editors')
    .addHelpText('after', '\nExample:\n  tsched schema > jobs.schema.json')
    .action(async () => {
      const { schema } = await import('./schema.ts');
      schema(session);
    });
}

function addImport(program: Command, { session }: Seen): void {
  program
    .command('import')
    .argument(
      '<kind-or-file...>',
      'crontab, yacron, supercronic or kubernetes, and the file; - is standard input',
    )
    .description(
      "print the job file that another scheduler's file comes to, and all that means something else in it",
    )
    .option('--system', 'a crontab whose lines name a user, as /etc/crontab does')
    .addHelpText(
      'after',
      `
The job file goes to standard output, the list of what means something else to standard error.
Without a kind it is told from what is in the file.

Examples:
  crontab -l | tsched import crontab - > jobs.yaml
  tsched import /etc/cron.d/backup > jobs.yaml
  kubectl get cronjobs -o yaml | tsched import kubernetes -`,
    )
    .action(async (words, options) => {
      const { importFile } = await import('./import.ts');
      await importFile(words, options, session);
    });
}

function addInstall(program: Command, { session }: Seen): void {
  program
    .command('install')
    .description('write a systemd unit that runs the daemon, and say what to run next')
    .option('--user', 'for systemctl --user, instead of the system')
    .option(
      '-f, --file <path>',
      'the job file (default: /etc/tsched/jobs.yaml; --user: ~/.config/tsched/jobs.yaml)',
    )
    .option('--run-as <user>', 'a user that exists; without it root, who can run jobs as others')
    .option('--dry-run', 'print the unit and write nothing')
    .option('--force', 'overwrite a unit that says something else')
    .addHelpText(
      'after',
      `
Changes of yours belong in a drop-in (systemctl edit tsched), which survives the next install.

Examples:
  tsched install --dry-run
  sudo tsched install --file /srv/jobs.yaml --run-as deploy
  tsched install --user`,
    )
    .action(async (options) => {
      const { install } = await import('./install.ts');
      install(options, session);
    });
}

/** Commander repeats what was typed. */
function escapeLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
