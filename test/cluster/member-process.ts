/** A node that does nothing but belong: run as a process of its own, so that it can be killed and frozen. Says what happens as JSON lines. */
import { join } from 'node:path';
import { createMembership, NodeRefused, type Membership } from '../../src/cluster/membership.ts';
import { systemClock } from '../../src/engine/clock.ts';
import { openDatabase } from '../../src/postgres/database.ts';
import type { MemberSettings } from './member.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as MemberSettings;
const { url, directory, name, schedules = true, labels = [], slots = 4 } = settings;

function say(what: object): void {
  process.stdout.write(`${JSON.stringify({ ...what, at: performance.timeOrigin + performance.now() })}\n`);
}

let membership: Membership | undefined;
try {
  const database = await openDatabase({ url, clock: systemClock });
  const made = createMembership({
    database,
    clock: systemClock,
    nodeIdFile: join(directory, 'node-id'),
    name,
    schedules,
    labels,
    slots,
    host: 'here',
    pid: process.pid,
    version: '0',
    startedAt: Date.now(),
    busy: () => 0,
    document: () => ({ lacks: [] }),
    onReady: (queues) => say({ ready: queues }),
    onWish: (drain) => say({ drain }),
    onAway: (away) => say({ away: away ?? null }),
    log: { write: (level, message) => say({ log: message, level }) },
  });
  membership = made;
  made.onTerm((term) =>
    say(term === undefined ? { term: null } : { term: term.number, upSince: term.upSince }),
  );
  await made.start();
  say({ id: made.node.id });
  process.on('SIGTERM', () => {
    const before = process.cpuUsage();
    void made
      .close()
      .then(() => database.close())
      .then(() => say({ left: true, cpu: before }));
  });
} catch (error) {
  if (!(error instanceof NodeRefused)) throw error;
  // As a daemon does that ends before it began.
  membership?.drain(true);
  await membership?.resign();
  await membership?.close();
  say({ refused: error.message, hint: error.hint });
  process.exit(1);
}
