/** When many messages to one notifier become one: a network that fails must not fill anybody's phone. */
import type { Message, NoticeMessage } from '../message.ts';
import type { Duration } from '../model.ts';

/** Messages that go out as one. Not kept as such: each of them waits in the outbox until the digest was taken. */
export interface Digest {
  readonly kind: 'digest';
  /** That of its newest message: one that is sent again with others more is another. */
  readonly id: string;
  readonly to: string;
  /** Oldest first; two or more. */
  readonly messages: readonly NoticeMessage[];
}

/** Where `digest:` of a notifier does not say. */
export const USUAL_DIGEST = 10;
/** Messages in one digest: what receivers take in one piece. */
const MOST_AT_ONCE = 500;
const WINDOW: Duration = 60_000;

export interface Crowd {
  readonly waiting: number;
  /** When messages were taken within the last minute or before, oldest first; a digest counts as one. */
  readonly sentAt: readonly Duration[];
  /** It has waited for others. */
  readonly held: boolean;
}

/** How many go out now, as one if there are more than one; or for how long they wait for others. `most` single ones a minute; 0: any number. */
export function crowdDecision(
  { waiting, sentAt, held }: Crowd,
  most: number,
  now: Duration,
): { readonly take: number } | { readonly hold: Duration } {
  if (most === 0) return { take: 1 };
  const recent = sentAt.filter((at) => now - at < WINDOW);
  const [oldest = now] = recent.slice(-most);
  if (recent.length >= most) return { hold: oldest + WINDOW - now };
  return { take: held || waiting > most ? Math.min(waiting, MOST_AT_ONCE) : 1 };
}

/** What is sent for these: a digest where they are several. */
export function asOne(messages: readonly Message[]): Message | Digest | undefined {
  const notices = messages.filter((message) => message.kind === 'notice');
  const [first, last] = [notices[0], notices.at(-1)];
  if (notices.length < 2 || first === undefined || last === undefined) return messages[0];
  return { kind: 'digest', id: last.id, to: first.to, messages: notices };
}
