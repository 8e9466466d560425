/** What a daemon takes up of the tables when it starts. */
import type { Join } from '../join.ts';
import type { Message, Told } from '../message.ts';
import type { AddedJob, Instant, JobId, KeyedRequest, Pause, Place, RunRecord } from '../model.ts';
import type { ReplayWithSlots } from '../replay.ts';

export interface Contents {
  readonly unfinished: readonly RunRecord[];
  readonly places: ReadonlyMap<JobId, Place>;
  readonly pauses: ReadonlyMap<JobId, Pause>;
  readonly added: ReadonlyMap<JobId, AddedJob>;
  readonly successes: ReadonlyMap<JobId, Instant>;
  readonly requests: readonly KeyedRequest[];
  readonly joins: readonly Join[];
  readonly messages: readonly Message[];
  readonly told: ReadonlyMap<JobId, Told>;
  readonly replays: readonly ReplayWithSlots[];
}
