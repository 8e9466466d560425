/**
 * A node that only works, as a process of its own, so that it can be killed and frozen. It beats by itself, faster than a real one, so
 * that silence is soon noticed. Says what happens as JSON lines; TERM stops it.
 */
import { join } from 'node:path';
import { createQueue } from '../../src/cluster/queue.ts';
import { Work } from '../../src/cluster/work.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import { createExecutor } from '../../src/tasks/executor.ts';
import { Beat } from './beating.ts';
import { ScriptedExecutor } from '../support/scripted-executor.ts';
import type { WorkerSettings } from './workers.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as WorkerSettings & { id: string };
const {
  url,
  directory,
  id,
  name,
  slots = 8,
  labels = [],
  silence,
  imagined = false,
  drain = 1000,
} = settings;

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const clock = systemClock;
const onTrouble = (message: string): void => say({ trouble: message });
const database = await openDatabase({ url, clock });
const queue = await createQueue({ database, clock, onTrouble });
const executor = imagined
  ? new ScriptedExecutor(clock)
  : createExecutor({
      runsDirectory: join(directory, 'runs'),
      clock,
      nodePath: process.execPath,
      inheritedEnvironment: process.env,
      output: 'file',
    });
const beat = new Beat({ database, queue, id, name, silence, onReady: (queues) => work.ready(queues) });
const work = new Work({
  database,
  queue,
  clock,
  executor,
  node: { id, name },
  slots,
  labels,
  onTrouble,
  contactFor: () => beat.contactFor,
  ...(silence !== undefined && { silence }),
  onRefused: ({ jobId, attempt }, message) => say({ refused: jobId, attempt, message }),
  onEnded: ({ jobId }) => imagined || say({ ended: jobId }),
});
await beat.begin();
await work.start();
process.on('SIGUSR2', () => {
  work.drain(true);
  say({ drained: true });
});
process.on('SIGHUP', () => say({ busy: work.busy, lacks: work.lacks }));
process.on('SIGTERM', () => {
  void work
    .stop({ drain })
    .then(() => beat.end('stopped'))
    .then(() => work.close())
    .then(() => executor.close())
    .then(() => queue.close())
    .then(() => database.close())
    .then(() => say({ left: true }));
});
// Only now: whoever hears it may send signals.
say({ ready: true });
