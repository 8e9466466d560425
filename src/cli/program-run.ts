/** The commands that run jobs here. */
import { type Command, apiOptions, daemonOptions, fileOption, givenOption, logOptions } from './options.ts';
import type { Seen } from './seen.ts';

export function addStart(program: Command, { session, end }: Seen): void {
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

export function addRunOnce(program: Command, { session, end }: Seen): void {
  program
    .command('run-once')
    .argument('<id>', 'the job')
    .description('run one job now, here, and end with its exit code; needs no daemon')
    .addOption(fileOption())
    .option('--no-retry', 'one attempt, whatever the job says')
    .addOption(givenOption())
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
