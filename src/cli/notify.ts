import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadedFile } from '../config/load.ts';
import { systemClock } from '../engine/clock.ts';
import type { Message } from '../message.ts';
import { createSend, type Delivery } from '../notify/sender.ts';
import { printable } from '../observe/text.ts';
import { suggest } from '../schedule/suggest.ts';
import { createExecutor } from '../tasks/executor.ts';
import { words } from '../telling.ts';
import { exit, Failure } from './exit.ts';
import { shownPath } from './find-file.ts';
import { loadJobs } from './job-file.ts';
import type { Session } from './session.ts';

export interface NotifyTestOptions {
  readonly file?: string;
}

/** Sends a message that says it is a test, here and now. Gives the exit code. */
export async function notifyTest(
  name: string,
  options: NotifyTestOptions,
  session: Session,
): Promise<number> {
  const file = await loadJobs(options.file, session);
  if (!Object.hasOwn(file.notifiers, name)) throw unknown(name, file);
  const delivery = await send(name, file, session);
  const shown = printable(name);
  if (delivery.kind === 'failed') {
    session.err(`${session.painter('err')('red', '✖')} ${shown} was not told: ${delivery.message}\n`);
    return exit.no;
  }
  const note = delivery.note === undefined ? '' : `, but ${delivery.note}`;
  session.out(`${session.painter('out')('green', '✔')} ${shown} was told${note}\n`);
  return exit.ok;
}

function unknown(name: string, { notifiers, path }: LoadedFile): Failure {
  const names = Object.keys(notifiers);
  const near = suggest(name, names);
  const known = names.length === 0 ? 'name some under notifiers:' : `its notifiers: ${names.join(', ')}`;
  const hint = near === undefined ? known : `did you mean "${near}"?`;
  return new Failure(exit.usage, `there is no notifier "${printable(name)}" in ${shownPath(path)}`, hint);
}

async function send(name: string, file: LoadedFile, session: Session): Promise<Delivery> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-notify-'));
  const executor = createExecutor({
    runsDirectory: directory,
    clock: systemClock,
    nodePath: process.execPath,
    inheritedEnvironment: session.environment,
    output: 'file',
  });
  const message: Message = {
    kind: 'notice',
    id: process.getBuiltinModule('node:crypto').randomUUID(),
    to: name,
    notice: 'test',
    jobId: 'tsched',
    at: session.now,
    timezone: file.timezone,
  };
  try {
    return await createSend({
      words,
      host: hostname(),
      publicUrl: undefined,
      notifiers: () => file.notifiers,
      pingOf: () => undefined,
      lastOutput: () => Promise.resolve(Buffer.alloc(0)),
      runCommand: (command) => executor.runCommand(command),
    })(message);
  } finally {
    await executor.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
