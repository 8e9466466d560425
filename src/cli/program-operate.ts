/** The commands that ask a running daemon to do something. */
import {
  clientOptions,
  durationOption,
  givenOption,
  jsonOption,
  longFileOption,
  numberOption,
  orderOption,
  type Command,
} from './options.ts';
import type { Seen } from './seen.ts';

const reconnectOption = () =>
  durationOption(
    '--reconnect <duration>',
    'with --wait: how long a daemon that is restarted may take (default: 1m)',
  );

const REFUSALS = '64 no such job or run, 69 no daemon is running, 77 it is not allowed';

export function addTrigger(program: Command, { session, end }: Seen): void {
  const command = program
    .command('trigger')
    .argument('<id>', 'the job')
    .description('have the daemon run a job now, beside its schedule')
    .addOption(givenOption())
    .option('--wait', 'show what it prints, and end with its exit code; Ctrl-C ends the waiting, not the run')
    .addOption(reconnectOption());
  addClient(command)
    .addHelpText(
      'after',
      `
What --with gives is in TSCHED_WITH_<NAME> and, as JSON, TSCHED_WITH; a module finds it in its \`with\`.
What the job declares as params: is checked, and in TSCHED_PARAM_<NAME> too.
Values are JSON where they can be (3, true, [1]), else text. With --json and --wait: the run, once it is over.
Exit codes: ${REFUSALS}; with --wait those of run-once.

Examples:
  tsched trigger backup
  tsched trigger report --with since=2027-01-01 --with retries=3 --wait`,
    )
    .action(async (id, options) => {
      const { trigger } = await import('./trigger.ts');
      end(await trigger(id, options, session));
    });
}

export function addCancel(program: Command, { session, end }: Seen): void {
  const command = program
    .command('cancel')
    .argument('<name>', 'a run, by its id or the beginning of it; or a job, for all its active runs')
    .description('ask the processes of a run to end, and kill them when they do not (kill_after)');
  addClient(command)
    .addHelpText(
      'after',
      `
It does not wait for the end: tsched logs -f does.
Exit codes: 1 nothing is active there, ${REFUSALS}.

Examples:
  tsched cancel backup
  tsched cancel 019ab3f0`,
    )
    .action(async (name, options) => {
      const { cancel } = await import('./cancel.ts');
      end(await cancel(name, options, session));
    });
}

export function addRetry(program: Command, { session, end }: Seen): void {
  const command = program
    .command('retry')
    .argument('<run>', 'a run that is over, by its id or the beginning of it')
    .description('have the daemon run its job once more, with what the run was given')
    .option('--wait', 'show what it prints, and end with its exit code; Ctrl-C ends the waiting, not the run')
    .addOption(reconnectOption());
  addClient(command)
    .addHelpText(
      'after',
      `
The new run is one of its own, by the job as it is now.
Exit codes: 1 the run is not over, ${REFUSALS}; with --wait those of run-once.

Example:
  tsched retry 019aaec9 --wait`,
    )
    .action(async (run, options) => {
      const { retry } = await import('./trigger.ts');
      end(await retry(run, options, session));
    });
}

export function addReplay(program: Command, { session, end }: Seen): void {
  const command = program
    .command('replay')
    .argument('[id]', 'the job')
    .description('have the daemon run past slots of a job, one after another, with their scheduled times')
    .option(
      '--from <time>',
      'the earliest slot: 2027-01-01 or 2027-01-01T02:30 (local to the job), with an offset too',
    )
    .option('--to <time>', 'the latest slot; a day alone is meant with all of its slots (default: now)')
    .addOption(orderOption())
    .option('--missing-only', 'leave out slots that have a run that succeeded, or is active')
    .addOption(
      numberOption(
        '--parallel <number>',
        'most of its runs at once (more than 1 needs overlap: allow)',
        1,
      ).default(1),
    )
    .option('--dry-run', 'tell the slots, and begin nothing')
    .option('--wait', 'wait for its end; Ctrl-C ends the waiting, not the replay')
    .option('--list', 'show the replays there are, and how far each is')
    .option('--cancel <replay>', 'let nothing more of it start, and cancel its active runs');
  addClient(command)
    .addHelpText(
      'after',
      `
A replay outlives the daemon: the next one goes on where it was, and runs no slot of it twice. It comes after all else: one
of its slots starts when no run of the job is active that may not run beside it, and nothing stands in line; a slot that falls
due meanwhile waits for that run, and goes before the rest. While the job is paused, it waits. Its runs have the cause replay.
Exit codes: 1 there are no such slots, or a replay of the job is under way; with --wait: not all succeeded; ${REFUSALS}.

Examples:
  tsched replay report --from 2027-01-01 --to 2027-03-31 --dry-run
  tsched replay report --from 2027-01-01 --missing-only --wait
  tsched replay --list`,
    )
    .action(async (id, options) => {
      const { replay } = await import('./replay.ts');
      end(await replay(id, options, session));
    });
}

export function addPause(program: Command, { session, end }: Seen): void {
  const command = program
    .command('pause')
    .argument('<id...>', 'jobs')
    .description('let jobs rest: their slots are skipped until they are resumed; kept over restarts')
    .addOption(
      durationOption('--for <duration>', 'resume them by itself after so long, e.g. 2h').conflicts('until'),
    )
    .option(
      '--until <time>',
      'resume them by itself then: 2027-03-27T02:30 (local to each job), 2027-03-27T01:30:00Z',
    )
    .option('--reason <text>', 'why, for those who wonder');
  addClient(command)
    .addHelpText(
      'after',
      `
Runs that are active go on; tsched trigger runs a paused job nonetheless.
Where one of several jobs is not there, none is paused.
Exit codes: ${REFUSALS}.

Example:
  tsched pause backup cleanup --for 2h --reason "moving disks"`,
    )
    .action(async (ids, options) => {
      const { pause } = await import('./pause.ts');
      end(await pause(ids, options, session));
    });
}

export function addResume(program: Command, { session, end }: Seen): void {
  const command = program
    .command('resume')
    .argument('<id...>', 'jobs')
    .description('end the rest of jobs; what was skipped meanwhile stays skipped');
  addClient(command)
    .addHelpText('after', `\nExit codes: ${REFUSALS}.\n\nExample:\n  tsched resume backup cleanup`)
    .action(async (ids, options) => {
      const { resume } = await import('./pause.ts');
      end(await resume(ids, options, session));
    });
}

export function addReload(program: Command, { session, end }: Seen): void {
  const command = program
    .command('reload')
    .description('have the daemon read its job file again, and tell what that changed')
    .option('--dry-run', 'tell what it would change, and change nothing');
  addClient(command)
    .addHelpText(
      'after',
      `
Jobs whose schedule is another (rescheduled) re-arm from now; all others keep their place in time. Active runs
finish as they began. A file with errors is refused with their lines, and the jobs loaded before go on.
Exit codes: 69 no daemon is running, 77 it is not allowed, 78 the file has errors.

Example:
  tsched reload --dry-run`,
    )
    .action(async (options) => {
      const { reload } = await import('./reload.ts');
      end(await reload(options, session));
    });
}

export function addPublish(program: Command, { session, end }: Seen): void {
  const command = program
    .command('publish')
    .argument('[file]', 'the job file')
    .description('put a job file and what it includes in force on every node of the cluster')
    .addOption(longFileOption())
    .option(
      '--directory <path>',
      'what relative paths in it are relative to on the nodes (default: where the file is here)',
    )
    .option('--dry-run', 'tell what it would change, and change nothing');
  addClient(command)
    .addHelpText(
      'after',
      `
The node that conducts checks it, with the environment of its daemon, before it counts. What a node has on its own disk
counts again once it is edited there; tsched nodes shows whose copy differs.
Exit codes: 1 the daemon is alone, 66 no such file, 69 no daemon is running, or no node conducts, 77 it is not allowed,
78 the file has errors.

Examples:
  tsched publish jobs.yaml
  tsched publish jobs.yaml --dry-run`,
    )
    .action(async (file, options) => {
      const { publish } = await import('./publish.ts');
      end(await publish(file, options, session));
    });
}

export function addAdd(program: Command, { session, end }: Seen): void {
  const command = program
    .command('add')
    .argument('<file>', 'a job file; - for standard input')
    .description('give the daemon further jobs, which it keeps over restarts beside those of its own file')
    .option('--replace', 'also in place of jobs of the same id, be they of the job file');
  addClient(command)
    .addHelpText(
      'after',
      `
All of its jobs are added, or none; adding the same again changes nothing. Relative paths are relative to the file
(from standard input: to this directory). tsched list shows where a job comes from.
Exit codes: 1 there are other jobs of these ids, 66 no such file, 69 no daemon is running, 77 it is not allowed, 78 the jobs
have errors.

Examples:
  tsched add more.yaml
  echo 'jobs: { ping: { every: 5m, run: "curl -fsS example.com" } }' | tsched add -`,
    )
    .action(async (file, options) => {
      const { add } = await import('./add.ts');
      end(await add(file, options, session));
    });
}

export function addRemove(program: Command, { session, end }: Seen): void {
  const command = program
    .command('remove')
    .argument('<id>', 'a job that was added')
    .description('take an added job from the daemon; its active runs may end');
  addClient(command)
    .addHelpText(
      'after',
      `
A job of the job file leaves when it is taken out there.
Exit codes: 1 it is of the job file, 64 no such job, 69 no daemon is running, 77 it is not allowed.

Example:
  tsched remove ping`,
    )
    .action(async (id, options) => {
      const { remove } = await import('./add.ts');
      end(await remove(id, options, session));
    });
}

export function addStop(program: Command, { session, end }: Seen): void {
  const command = program
    .command('stop')
    .description('stop the daemon, and wait until it has; active runs may end within its --drain')
    .option('--now', 'kill active runs, but those whose on_shutdown is leave');
  addClient(command)
    .addHelpText(
      'after',
      `
Nothing new starts meanwhile. Ctrl-C ends the waiting, not the stop.
Exit codes: 69 no daemon is running, 77 it is not allowed.

Example:
  tsched stop && tsched start`,
    )
    .action(async (options) => {
      const { stop } = await import('./stop.ts');
      end(await stop(options, session));
    });
}

export function addDrain(program: Command, { session, end }: Seen): void {
  const command = program
    .command('drain')
    .description('stop the daemon when its active runs have ended, however long they take');
  addClient(command)
    .addHelpText(
      'after',
      `
Nothing new starts meanwhile; jobs whose on_shutdown says otherwise are ended, or left, as ever. tsched stop --now
cuts it short.
Exit codes: 69 no daemon is running, 77 it is not allowed.

Example:
  tsched drain && reboot`,
    )
    .action(async (options) => {
      const { stop } = await import('./stop.ts');
      end(await stop({ ...options, drain: true }, session));
    });
}

/** The options of all of them. */
function addClient(command: Command): Command {
  for (const option of clientOptions()) command.addOption(option);
  return command.addOption(jsonOption());
}
