/** The output of runs, for those who read it later or while it grows: a part of ports-operator.ts. */
import type { RunId } from '../model.ts';
import type { OpenOutput, OutputPiece, OutputPlace } from './ports-operator.ts';

/** How far a run has come. */
export interface RunProgress {
  /** Attempts begun. */
  readonly attempts: number;
  readonly over: boolean;
}

export interface Watch {
  readonly progress: () => RunProgress;
  readonly signal: AbortSignal;
}

/** Who can read what runs printed. */
export interface OutputFiles {
  /** Undefined when there is none: nothing was written, or it was removed. @throws OutputElsewhere */
  open(runId: RunId, attempt: number): Promise<OpenOutput | undefined>;
  /** Output from a place on, attempt after attempt, until the run is over and all is told. */
  follow(runId: RunId, from: OutputPlace, watch: Watch): AsyncIterable<OutputPiece>;
}

/** It is on another node, which cannot be asked now. The message says which, and why: "it is on node …". */
export class OutputElsewhere extends Error {
  override readonly name = 'OutputElsewhere';
}
