/** How a process becomes a node, and why it may not. */
import type { Clock } from '../engine/ports.ts';
import type { Duration, Instant } from '../model.ts';
import type { Database } from '../postgres/database.ts';
import { register, type Namesake, type NodeFacts } from './beat.ts';
import { sessionKeyOf } from './node-id.ts';

/** The name is another live node's, or this node is another process. */
export class NodeRefused extends Error {
  override readonly name = 'NodeRefused';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export interface Joining {
  readonly database: Database;
  readonly clock: Clock;
  readonly facts: NodeFacts;
  readonly nodeIdFile: string;
}

/** A process that was killed just now may still have its session. */
const LAST_BREATH: Duration = 2000;

/**
 * Gives since when it is the node, by the database's clock.
 * @throws NodeRefused, DatabaseAway
 */
export async function join({ database, clock, facts, nodeIdFile }: Joining): Promise<Instant> {
  const { id, name } = facts;
  // So that the database knows that we live.
  const patience = clock.monotonic() + LAST_BREATH;
  while (!(await database.hold(sessionKeyOf(id))) && clock.monotonic() < patience)
    await new Promise<void>((resolve) => void clock.after(100, resolve));
  const joined = await register(database, facts, async (other) => {
    const isFree = await database.hold(sessionKeyOf(other.id));
    if (isFree && other.id !== id) await database.release(sessionKeyOf(other.id));
    return !isFree;
  });
  if ('joinedAt' in joined) return joined.joinedAt;
  const { taken } = joined;
  throw taken.id === id
    ? new NodeRefused(
        `another process is this node (${id}): ${placeOf(taken)}`,
        `was the state directory copied? Remove ${nodeIdFile} here, and this becomes a node of its own`,
      )
    : new NodeRefused(
        `there is a node called ${name} already: ${placeOf(taken)}`,
        'give this one another name: --node-name NAME',
      );
}

function placeOf({ host, pid, ago }: Namesake): string {
  return `on ${host}, process ${pid}, heard of ${Math.round(ago / 1000)} s ago`;
}
