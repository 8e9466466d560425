/** The commands that look at what comes. */
import { type Command, countOption, fileOption, jsonOption, stateOption, zoneOption } from './options.ts';
import type { Seen } from './seen.ts';

export function addList(program: Command, { session }: Seen): void {
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

export function addNext(program: Command, { session }: Seen): void {
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
