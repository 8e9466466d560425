/** The commands that help to write a job file. */
import { type Command, fileOption, jsonOption } from './options.ts';
import type { Seen } from './seen.ts';

export function addInit(program: Command, { session }: Seen): void {
  program
    .command('init')
    .argument('[file]', 'its name', 'jobs.yaml')
    .description('write a commented job file to start from')
    .action(async (file) => {
      const { init } = await import('./init.ts');
      init(file, session);
    });
}

export function addValidate(program: Command, { session, end }: Seen): void {
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

export function addSchema(program: Command, { session }: Seen): void {
  program
    .command('schema')
    .description('print the JSON Schema of the job file, for editors')
    .addHelpText('after', '\nExample:\n  tsched schema > jobs.schema.json')
    .action(async () => {
      const { schema } = await import('./schema.ts');
      schema(session);
    });
}

export function addImport(program: Command, { session }: Seen): void {
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
