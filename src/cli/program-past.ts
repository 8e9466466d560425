/** The commands that look at what was, and after it. They need no daemon, but for a node of a cluster, where it alone can tell. */
import type { Command } from './options.ts';
import {
  clientOptions,
  durationOption,
  fileOption,
  jsonOption,
  longFileOption,
  numberOption,
  Option,
  stateOption,
  statusOption,
  zoneOption,
} from './options.ts';
import type { Seen } from './seen.ts';

export function addStatus(program: Command, { session, end }: Seen): void {
  const command = program.command('status').description('how the daemon, its history and its jobs are');
  for (const option of clientOptions()) command.addOption(option);
  command
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
With --socket or --url: what the daemon tells, without the files around it; 69 when it cannot be asked.
Exit codes: 0 well; 1 no daemon is running, its history is degraded or cannot be read, the job file
was changed and is broken, or no node of its cluster conducts. Failing jobs are shown, but do not
count: they are not the daemon's fault.

Example:
  tsched status || echo "look after tsched"`,
    )
    .action(async (options) => {
      const { status } = await import('./status.ts');
      end(await status(options, session));
    });
}

export function addHistory(program: Command, { session }: Seen): void {
  program
    .command('history')
    .argument('[id]', 'one job; else all of them')
    .description('what ran, when, how long and how it ended; what was skipped, and why')
    .addOption(durationOption('--last <duration>', 'only slots of this time, e.g. 7d').conflicts('since'))
    .option('--since <time>', 'only slots from then on: 2027-03-27, 2027-03-27T02:00, 2027-03-27T01:00:00Z')
    .option('--until <time>', 'only slots up to then')
    .addOption(statusOption())
    .addOption(numberOption('--limit <number>', 'rows, the newest first', 1).default(20))
    .option('--shards', 'every shard of runs that have some; else those that did not succeed')
    .addOption(zoneOption("show and read times in this zone instead of the job's"))
    .addOption(fileOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
"failed" is every end but success and cancelled: exit codes, signals, time-outs, lost …
START and the figures behind it count from the scheduled time. p50 and p95 are of the rows shown.

Examples:
  tsched history backup --last 7d
  tsched history --status failed,skipped --limit 50`,
    )
    .action(async (id, options) => {
      const { history } = await import('./history.ts');
      await history(id, options, session);
    });
}

export function addLogs(program: Command, { session, end }: Seen): void {
  program
    .command('logs')
    .argument('<name>', 'a job, for its newest run; or a run, by its id or the beginning of it')
    .description('what a run printed')
    .option('-f, --follow', 'go on until the run has ended, through its retries')
    .addOption(numberOption('--tail <number>', 'only the last lines', 0))
    .addOption(numberOption('--attempt <number>', 'only this attempt', 1))
    .addOption(
      new Option('--raw', 'bytes as they are: colours work, and so does whatever else is in them').conflicts(
        'json',
      ),
    )
    .addOption(longFileOption())
    .addOption(stateOption())
    .addOption(new Option('--json', 'for programs: a line {"run","attempt","line"} for each line of output'))
    .addHelpText(
      'after',
      `
Control characters and bytes that are no UTF-8 are shown as \\x1b, on a terminal and in a pipe alike,
unless --raw is given. In JSON a line of more than 65536 characters comes in parts, all but the last
with "continues": true, and invalid bytes are U+FFFD.
Exit codes: 0 well; 1 there is no output (any more).

Examples:
  tsched logs backup -f
  tsched logs 019a7512 --tail 100
  tsched logs backup --raw > backup.log`,
    )
    .action(async (name, options) => {
      const { logs } = await import('./logs.ts');
      end(await logs(name, options, session));
    });
}

export function addWhy(program: Command, { session }: Seen): void {
  program
    .command('why')
    .argument('<id>', 'the job')
    .argument('[time]', 'a scheduled time; else the newest that has come')
    .description('why a job ran, ran late or did not run')
    .addOption(fileOption())
    .addOption(stateOption())
    .addOption(zoneOption("show and read times in this zone instead of the job's"))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Times: 2027-03-27T02:30 (local to the job), 2027-03-27T01:30:00Z.

Examples:
  tsched why backup
  tsched why backup 2026-11-23T02:30`,
    )
    .action(async (id, time, options) => {
      const { why } = await import('./why.ts');
      await why({ id, time }, options, session);
    });
}

export function addDb(program: Command, seen: Seen): void {
  const db = program
    .command('db')
    .description('look after the history: check, backup, prune; a daemon may be running')
    .helpCommand(false);
  addCheck(db, seen);
  addBackup(db, seen);
  addPrune(db, seen);
}

function addCheck(db: Command, { session, end }: Seen): void {
  db.command('check')
    .description('read the whole database: is it sound?')
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExit codes: 0 sound, 1 damaged, 66 there is none.')
    .action(async (options) => {
      const { checkDb } = await import('./db.ts');
      end(await checkDb(options, session));
    });
}

function addBackup(db: Command, { session }: Seen): void {
  db.command('backup')
    .argument('<file>', 'a new file; none is overwritten')
    .description('copy the database, as it is at one moment, and read the copy back')
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Only its owner can read the copy. To bring it back: stop the daemon, put it in place of tsched.db in the
state directory, and remove tsched.db-wal and tsched.db-shm.

Example:
  tsched db backup /var/backups/tsched-$(date +%F).db`,
    )
    .action(async (file, options) => {
      const { backUpDb } = await import('./db.ts');
      await backUpDb(file, options, session);
    });
}

function addPrune(db: Command, { session }: Seen): void {
  db.command('prune')
    .description('remove old history now, with the output of its runs')
    .addOption(numberOption('--keep <number>', 'runs, and skips, of each job that stay', 0))
    .addOption(durationOption('--max-age <duration>', 'what is older goes, e.g. 30d'))
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Runs that are not over stay. With neither option: --keep 1000 --max-age 90d.

Example:
  tsched db prune --max-age 30d`,
    )
    .action(async (options) => {
      const { pruneDb } = await import('./db.ts');
      await pruneDb(options, session);
    });
}
