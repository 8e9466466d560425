/** Requests that change something. Each is told in the log, with who asked. */
import { args, duration, flag, instant, optional, text } from './fields.ts';
import { clusterOf, copyFields, copyIn, LONGEST_SET } from './file-copy.ts';
import { HttpProblem } from './problem.ts';
import { json, route, valueOf, type Asked, type Reply, type Route } from './route.ts';
import { jobShape, runShape } from './shapes.ts';
import { reloadShape } from './shapes-cluster.ts';
import type { BegunRun } from '../engine/ports-operator.ts';

const idempotencyKey = {
  'idempotency-key': {
    about: 'The same key again is the same run; remembered for a day, while the daemon runs',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
};

export const actRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/api/v1/jobs/{id}/runs',
    scope: 'run',
    summary: 'Runs a job once, now, beside its schedule, whether or not it is paused',
    headers: idempotencyKey,
    body: {
      with: optional(
        args(
          'What the task gets beside what its job gives it: TSCHED_WITH_<NAME>, `with`; as `params` of the job say',
        ),
      ),
    },
    answers: { 202: { about: 'The run that was begun', schema: 'Run' } },
    problems: ['unknown_job', 'bad_arguments', 'too_many', 'key_reused', 'stopping'],
    handle: async (asked, { operator }) =>
      begun(
        valueOf(
          await operator.runNow(asked.path['id'] ?? '', { ...requestOf(asked), given: asked.body.with }),
        ),
      ),
  }),
  route({
    method: 'POST',
    path: '/api/v1/runs/{id}/retry',
    scope: 'run',
    summary:
      'Runs the job of a run that is over once more, with what that run was given, as a run of its own',
    headers: idempotencyKey,
    answers: { 202: { about: 'The run that was begun', schema: 'Run' } },
    problems: [
      'unknown_run',
      'ambiguous_run',
      'unknown_job',
      'run_active',
      'bad_arguments',
      'too_many',
      'key_reused',
      'stopping',
      'history_unavailable',
    ],
    handle: async (asked, { operator }) =>
      begun(valueOf(await operator.retry(asked.path['id'] ?? '', requestOf(asked)))),
  }),
  route({
    method: 'POST',
    path: '/api/v1/runs/{id}/cancel',
    scope: 'run',
    summary: 'Asks the processes of a run to end; GET the run, or /events, to see it end',
    answers: { 202: { about: 'The run as it stands', schema: 'Run' } },
    problems: ['unknown_run', 'ambiguous_run', 'run_finished', 'history_unavailable'],
    handle: async ({ path: { id = '' }, by }, { operator }) =>
      json(runShape(valueOf(await operator.cancel(id, by))), 202),
  }),
  route({
    method: 'POST',
    path: '/api/v1/jobs/{id}/pause',
    scope: 'run',
    summary:
      'Lets a job rest: its slots are skipped until it is resumed, or until the pause ends; kept over restarts',
    body: {
      reason: optional(text('Why, for people', 500)),
      until: optional(instant('When it ends by itself')),
      for: optional(duration('How long, instead of "until"')),
    },
    answers: { 200: { about: 'The job', schema: 'Job' } },
    problems: ['unknown_job', 'past'],
    async handle({ path: { id = '' }, body, by }, { operator }) {
      if (body.until !== undefined && body.for !== undefined) {
        throw new HttpProblem('bad_body', '"until" and "for" exclude each other', {
          hint: 'give one of them',
        });
      }
      return json(jobShape(valueOf(await operator.pause(id, { ...body, by }))));
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/jobs/{id}/resume',
    scope: 'run',
    summary: 'Ends a pause',
    answers: { 200: { about: 'The job', schema: 'Job' } },
    problems: ['unknown_job'],
    handle: async ({ path: { id = '' }, by }, { operator }) =>
      json(jobShape(valueOf(await operator.resume(id, by)))),
  }),
  route({
    method: 'POST',
    path: '/api/v1/reload',
    scope: 'admin',
    longest: LONGEST_SET,
    summary:
      'Reads the job file again and takes it over if it is good; with dry_run only tells what that would change. ' +
      'In a cluster: the copy of the node that is asked, which is published',
    query: { dry_run: flag('Change nothing') },
    body: {
      documents: optional(copyFields.documents),
      directory: optional(copyFields.directory),
      timezone: copyFields.timezone,
    },
    enclose: async ({ node }) => valueOf(await clusterOf(node).copy()),
    answers: { 200: { about: 'What changed, or would', schema: 'Reload' } },
    problems: ['bad_file', 'stopping', 'cluster_away', 'no_cluster'],
    async handle({ query: { dry_run: dryRun }, body, by }, { operator, node }) {
      if (node.cluster === undefined && body.documents === undefined)
        return json(reloadShape(valueOf(await operator.reload({ dryRun, by }))));
      const copy = copyIn(body);
      const published = valueOf(await clusterOf(node).publish({ ...copy, dryRun, by, anyDirectory: true }));
      return json(reloadShape(published.plan, { ...published, copy }));
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/stop',
    scope: 'admin',
    local: true,
    summary:
      'Stops the daemon that is asked: active runs may end within its --drain, or with "now" are killed',
    body: { now: flag('Wait for nothing'), drain: flag('Wait for active runs as long as they take') },
    answers: { 202: { about: 'It is stopping', schema: 'Accepted' } },
    handle({ body: { now, drain }, by }, { node }) {
      if (now && drain) {
        throw new HttpProblem('bad_body', '"now" and "drain" exclude each other', {
          hint: 'give one of them',
        });
      }
      node.stop({ now, drain, by });
      return json({ stopping: true, pid: process.pid, cluster: node.cluster !== undefined }, 202);
    },
  }),
];

function requestOf({ header, by }: Asked<unknown, unknown>): {
  readonly key: string | undefined;
  readonly by: string;
} {
  const key = header('idempotency-key');
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    const hint = 'a UUID is a good one';
    throw new HttpProblem('bad_request', 'an idempotency key has 1 to 255 visible ASCII characters', {
      hint,
    });
  }
  return { key, by };
}

function begun({ run, replayed }: BegunRun): Reply {
  const headers = {
    location: `/api/v1/runs/${run.id}`,
    ...(replayed ? { 'idempotent-replayed': 'true' } : {}),
  };
  return json(runShape(run), 202, headers);
}
