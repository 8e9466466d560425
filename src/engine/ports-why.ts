/** Why a slot became what it became, as whoever asks is told. */
import type { Duration, Instant, JobId } from '../model.ts';
import type { SlotReason } from '../schedule/why.ts';
import type { HistoryRow } from './ports.ts';

/** What became of a job that another one follows or needs. */
export interface SlotLink {
  /** Who follows or needs it. */
  readonly of: JobId;
  readonly via: 'after' | 'needs';
  readonly jobId: JobId;
  /** 1: the job that was asked about follows or needs it itself. */
  readonly depth: number;
  /** Undefined: nothing is recorded. */
  readonly row: HistoryRow | undefined;
}

/** Why a slot of a job became what it became, or did not become anything. */
export interface SlotAnswer {
  readonly jobId: JobId;
  /** Undefined: none has come yet, and nothing is recorded. */
  readonly slot: Instant | undefined;
  /** The slot as the clock on the wall has it then, with the offset. */
  readonly local: string | undefined;
  readonly reason: SlotReason;
  readonly inWords: string;
  /** The same, a line for each thing. */
  readonly lines: readonly string[];
  /** What a clock change does to the slot. */
  readonly note: string | undefined;
  /** From when it was due to when it started; for a skip, to when that was decided. */
  readonly late: Duration | undefined;
  readonly row: HistoryRow | undefined;
  /** What became of what it follows and needs, and of what that follows. */
  readonly links: readonly SlotLink[];
  /** The slots beside it. */
  readonly previousAt: Instant | undefined;
  readonly nextAt: Instant | undefined;
}
