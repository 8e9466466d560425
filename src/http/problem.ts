import type { FileProblem, Refusal } from '../engine/ports-operator.ts';
import type { ArgumentProblem } from '../schedule/params.ts';
import { problemShape } from './shapes.ts';

export type ProblemCode =
  | Refusal['refused']
  | 'bad_request'
  | 'bad_body'
  | 'no_token'
  | 'too_small_scope'
  | 'foreign_host'
  | 'foreign_origin'
  | 'unknown_path'
  | 'wrong_method'
  | 'wrong_type'
  | 'too_large'
  | 'range'
  | 'busy'
  | 'no_conductor'
  | 'bug';

export interface ProblemMore {
  readonly hint?: string | undefined;
  readonly problems?: readonly FileProblem[] | undefined;
  readonly arguments?: readonly ArgumentProblem[] | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Why a request was not answered as asked: RFC 9457, with our code. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly code: ProblemCode;
  readonly more: ProblemMore;

  constructor(code: ProblemCode, message: string, more: ProblemMore = {}) {
    super(message);
    this.status = STATUS[code];
    this.code = code;
    this.more = more;
  }

  get body(): object {
    const { hint, problems, arguments: args } = this.more;
    return {
      type: `urn:tsched:${this.code}`,
      title: TITLES[this.status] ?? 'Problem',
      status: this.status,
      detail: this.message,
      code: this.code,
      ...(hint === undefined ? {} : { hint }),
      ...(problems === undefined ? {} : { errors: problems.map(problemShape) }),
      ...(args === undefined ? {} : { arguments: args.map(argumentShape) }),
    };
  }
}

export function problemOf({ refused, message, ...more }: Refusal): HttpProblem {
  return new HttpProblem(refused, message, more);
}

/** The pointer is into the body. */
function argumentShape({ name, message, hint }: ArgumentProblem): object {
  return { pointer: `/with/${name}`, message, hint: hint ?? null };
}

const STATUS: Readonly<Record<ProblemCode, number>> = {
  bad_request: 400,
  bad_body: 400,
  bad_cursor: 400,
  ambiguous_run: 400,
  no_token: 401,
  too_small_scope: 403,
  foreign_origin: 403,
  unknown_job: 404,
  unknown_run: 404,
  unknown_path: 404,
  unknown_replay: 404,
  unknown_node: 404,
  no_output: 404,
  no_file: 404,
  wrong_method: 405,
  job_exists: 409,
  not_added: 409,
  job_needed: 409,
  run_active: 409,
  run_finished: 409,
  replay_active: 409,
  replay_over: 409,
  no_cluster: 409,
  too_large: 413,
  wrong_type: 415,
  range: 416,
  foreign_host: 421,
  bad_file: 422,
  bad_expression: 422,
  bad_arguments: 422,
  key_reused: 422,
  past: 422,
  no_slots: 422,
  too_many_slots: 422,
  too_parallel: 422,
  too_many: 429,
  bug: 500,
  busy: 503,
  no_conductor: 503,
  history_unavailable: 503,
  output_away: 503,
  simulation_failed: 503,
  cluster_away: 503,
  stopping: 503,
};

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
