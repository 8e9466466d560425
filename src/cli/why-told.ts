/** Why, as the daemon of this node tells it. */
import type { JobId } from '../model.ts';
import { assertKnown } from './known-job.ts';
import { printableJson } from '../observe/text.ts';
import type { Session } from './session.ts';
import { instantOf, type ToldRun } from './told.ts';
import { toldPast, withSize } from './told-past.ts';
import type { WhyOptions } from './why-known.ts';
import { noneAsText, slotAsText } from './why-text.ts';
import { isoOf } from './past-source.ts';
import { momentOf } from './zones.ts';

interface ToldWhy {
  readonly jobId: string;
  readonly slot: string | null;
  readonly inWords: string;
  readonly lines: readonly string[];
  readonly note: string | null;
  readonly run: ToldRun | null;
  readonly nextAt: string | null;
}

interface Asked {
  readonly id: JobId;
  readonly time: string | undefined;
  readonly state: string;
}

export async function toldWhy(
  { id, time, state }: Asked,
  { file, tz, json }: WhyOptions,
  session: Session,
): Promise<void> {
  const past = toldPast(state, session);
  const job = await past.job(id);
  if (job === undefined) await assertKnown(id, { past, file, session });
  const timezone = tz ?? job?.timezone ?? session.hostTimezone;
  const query = new URLSearchParams({ timezone });
  if (time !== undefined) query.set('time', isoOf(momentOf(time, timezone, 'the time')));
  const path = `/jobs/${encodeURIComponent(id)}`;
  const told = await past.client.get<ToldWhy>(`${path}/why?${query.toString()}`);
  if (json === true) {
    const run = told.run === null ? {} : { run: withSize(told.run, state) };
    session.out(`${printableJson({ ...told, ...run })}\n`);
    return;
  }
  const slot = instantOf(told.slot);
  if (slot === undefined) {
    session.out(noneAsText({ ...told, nextAt: instantOf(told.nextAt) }, { timezone, session }));
    return;
  }
  const { times } = await past.client.get<{ readonly times: readonly { at: string }[] }>(`${path}/next?n=1`);
  const comingAt = instantOf(times[0]?.at ?? null);
  const { lines, note, run } = told;
  const shown = { jobId: id, slot, timezone, note: note ?? undefined, lines, runId: run?.id, comingAt };
  session.out(slotAsText(shown, session));
}
