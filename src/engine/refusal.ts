/** Answers to those who ask a daemon to do something, and why it was not done: a part of ports-operator.ts. */
import type { ArgumentProblem } from '../schedule/params.ts';

/** Why something was not done. Text is for people; `refused` is for programs. */
export interface Refusal {
  readonly refused:
    | 'unknown_job'
    | 'unknown_run'
    | 'job_exists'
    | 'not_added'
    | 'job_needed'
    | 'ambiguous_run'
    | 'run_active'
    | 'run_finished'
    | 'too_many'
    | 'no_output'
    /** It lies on a node that cannot be asked now. */
    | 'output_away'
    | 'bad_cursor'
    | 'bad_expression'
    | 'bad_arguments'
    | 'simulation_failed'
    | 'bad_file'
    /** No job file was ever published. */
    | 'no_file'
    | 'key_reused'
    | 'past'
    | 'no_slots'
    | 'too_many_slots'
    | 'too_parallel'
    | 'unknown_replay'
    | 'replay_active'
    | 'replay_over'
    | 'history_unavailable'
    | 'no_cluster'
    | 'unknown_node'
    | 'cluster_away'
    | 'stopping';
  readonly message: string;
  readonly hint?: string | undefined;
  /** Of a job file, or of a cron expression. */
  readonly problems?: readonly FileProblem[];
  /** Of what a run was to be given. */
  readonly arguments?: readonly ArgumentProblem[];
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

/** A mistake, or what may be one, and where it stands. Lines and columns count from 1. */
export interface FileProblem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
  /** The lines it stands in, with a caret; secrets are hidden. */
  readonly frame?: string;
  readonly related?: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly message: string;
  };
}
