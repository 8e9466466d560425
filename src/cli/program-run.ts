/** The commands that run jobs here. */
import {
  apiOptions,
  clusterOptions,
  daemonOptions,
  drainOption,
  fileOption,
  givenOption,
  logOptions,
  stateOption,
  type Command,
} from './options.ts';
import type { Seen } from './seen.ts';

export function addStart(program: Command, { session, end }: Seen): void {
  const start = program
    .command('start')
    .argument('[file]', 'the job file')
    .description('run the daemon, in the foreground')
    .addOption(fileOption());
  for (const option of daemonOptions()) start.addOption(option);
  addCommon(start)
    .addHelpText(
      'after',
      `
Signals:
  INT, TERM   stop gracefully: no new runs, active ones may end within --drain; a second one stops now
  HUP, USR2   read the job file again (and open the log file anew)
  QUIT        stop now

Examples:
  tsched start jobs.yaml
  tsched start /etc/tsched/jobs.yaml --state-dir /var/lib/tsched --log-format json
  TSCHED_STORE=postgres://tsched:secret@db/tsched tsched start jobs.yaml     as a node of a cluster`,
    )
    .action(async (file, options) => {
      const { start } = await import('./start.ts');
      end(await start(file, options, session));
    });
}

export function addWorker(program: Command, { session, end }: Seen): void {
  const worker = program
    .command('worker')
    .description('run jobs for a cluster, in the foreground, and decide nothing: no job file, no schedule')
    .addOption(stateOption())
    .addOption(drainOption());
  addCommon(worker)
    .addHelpText(
      'after',
      `
It takes runs whose runs_on it has as --label and whose module file is there, as many at once as it has slots. It
stops as tsched start does; tsched nodes shows it.

Examples:
  tsched worker --store-file /etc/tsched/store --label gpu --slots 4
  TSCHED_STORE=postgres://tsched:secret@db/tsched tsched worker`,
    )
    .action(async (options) => {
      const { work } = await import('./start.ts');
      end(await work(options, session));
    });
}

/** The options of everything that runs as a daemon. */
function addCommon(command: Command): Command {
  for (const [group, options] of [
    ['Cluster:', clusterOptions()],
    ['API:', apiOptions()],
    ['Log:', logOptions()],
  ] as const) {
    command.optionsGroup(group);
    for (const option of options) command.addOption(option);
  }
  return command;
}

export function addRunOnce(program: Command, { session, end }: Seen): void {
  program
    .command('run-once')
    .argument('<id>', 'the job')
    .description('run one job now, here, and end with its exit code; needs no daemon')
    .addOption(fileOption())
    .addOption(stateOption())
    .option('--no-retry', 'one attempt, whatever the job says')
    .addOption(givenOption())
    .option('-q, --quiet', "only the job's own output, and why it could not start")
    .addHelpText(
      'after',
      `
Its output goes to ours untouched. Ctrl-C once asks it to end, twice kills it; closing the terminal
asks it too. On a node of a cluster without a job file it is a job of the published one, which its
daemon tells.
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
