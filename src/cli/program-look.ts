/** The commands that look at what comes. */
import {
  type Command,
  clientOptions,
  countOption,
  durationOption,
  fileOption,
  jsonOption,
  maxRunsOption,
  numberOption,
  Option,
  stateOption,
  zoneOption,
} from './options.ts';
import type { Seen } from './seen.ts';

export function addList(program: Command, { session }: Seen): void {
  const command = program
    .command('list')
    .alias('ls')
    .description('every job: its schedule in words, when it is next due, how it last ran')
    .option('--watch', 'show it anew whenever something happens, until Ctrl-C; needs a daemon')
    .addOption(fileOption());
  for (const option of clientOptions()) command.addOption(option);
  command
    .addOption(zoneOption("show times in this zone instead of each job's"))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Where a daemon runs the job file it tells its own jobs; else they are read from the file, and what was from the state
directory.

Examples:
  tsched list
  tsched list --watch`,
    )
    .action(async (options) => {
      if (options.watch === true) {
        const { watchList } = await import('./watch-list.ts');
        return watchList(options, session);
      }
      const { list } = await import('./list.ts');
      await list(options, session);
    });
}

export function addTop(program: Command, { session }: Seen): void {
  const command = program.command('top').description('what runs, what comes and what fails, as it happens');
  for (const option of clientOptions()) command.addOption(option);
  command
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
q or Ctrl-C ends it. Where standard output is no terminal all of it is printed anew whenever something happens, as
JSON one object a line.

Example:
  tsched top`,
    )
    .action(async (options) => {
      const { top } = await import('./top.ts');
      await top(options, session);
    });
}

export function addSimulate(program: Command, { session }: Seen): void {
  program
    .command('simulate')
    .description('play a time to come: what would run, wait and be skipped, and when most goes on')
    .addOption(fileOption())
    .addOption(stateOption())
    .option('--from <time>', 'where the window begins; default: now')
    .option('--to <time>', 'where it ends; default: a day later')
    .addOption(maxRunsOption())
    .addOption(
      durationOption('--assume <duration>', 'how long runs last of jobs of which history has none').default(
        1000,
        '1s',
      ),
    )
    .addOption(
      numberOption(
        '--seed <number>',
        'draw lengths from those in history, instead of taking their median',
        0,
      ),
    )
    .option('--fail <id...>', 'jobs whose attempts fail')
    .addOption(zoneOption("show times in this zone instead of the file's"))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The daemon's own engine runs on a clock that jumps, with run lengths taken from the history of the state directory: nothing is
started. Where no daemon runs yet, or with another file than its own, it shows what that file would do.

Examples:
  tsched simulate --to 2027-01-08
  tsched simulate --file new.yaml --from 2027-03-27 --to 2027-03-29 --json`,
    )
    .action(async (options) => {
      const { simulateWindow } = await import('./simulate.ts');
      await simulateWindow(options, session);
    });
}

export function addNext(program: Command, { session }: Seen): void {
  program
    .command('next')
    .argument('[id]', 'one job; else all enabled ones together')
    .description('the coming times, clock changes marked')
    .addOption(fileOption())
    .addOption(stateOption())
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

export function addExplain(program: Command, { session }: Seen): void {
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

export function addGraph(program: Command, { session }: Seen): void {
  program
    .command('graph')
    .argument('[id]', 'only jobs that hang together with this one')
    .description('which jobs follow and need which others')
    .addOption(
      new Option('--format <format>', 'text, or a language that draws it')
        .choices(['text', 'dot', 'mermaid'] as const)
        .default('text' as const),
    )
    .addOption(fileOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  tsched graph
  tsched graph --format dot | dot -Tsvg > jobs.svg`,
    )
    .action(async (id, options) => {
      const { graph } = await import('./graph.ts');
      await graph(id, options, session);
    });
}
