import type { Instant } from '../model.ts';
import { REPLAYS_KEPT, type Replay, type ReplayId, type ReplayWithSlots } from '../replay.ts';

/** Keeps how a replay stands, in memory, with its slots while it is under way; of those that are over the newest. */
export function remember(
  known: Map<ReplayId, ReplayWithSlots>,
  replay: Replay,
  slots: readonly Instant[] | undefined,
): void {
  const isActive = replay.state === 'active';
  known.set(replay.id, { replay, slots: isActive ? (slots ?? known.get(replay.id)?.slots ?? []) : [] });
  if (slots === undefined) return;
  const over = [...known.values()].filter((each) => each.replay.state !== 'active');
  for (const { replay: old } of over.slice(0, Math.max(over.length - REPLAYS_KEPT, 0))) known.delete(old.id);
}
