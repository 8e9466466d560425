/** Questions: they change nothing. */
import { STATUSES } from '../engine/ports-operator.ts';
import { HttpProblem } from './problem.ts';
import { flag, instant, optional, someOf, text, whole, zone } from './fields.ts';
import { json, route, valueOf, type Reply, type Route } from './route.ts';
import {
  explanationShape,
  jobDaysShape,
  jobDetailShape,
  jobShape,
  jobTimeShape,
  poolShape,
  rowShape,
  runShape,
  statusShape,
  validationShape,
  whyShape,
} from './shapes.ts';

export const readRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/status',
    scope: 'read',
    summary: 'How the daemon is',
    answers: { 200: { about: 'How it is', schema: 'Status' } },
    handle: async ({ via }, { node, operator }) => {
      const cluster = node.cluster !== undefined;
      return json({ ...statusShape(await operator.status()), cluster, via: via ?? null });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/jobs',
    scope: 'read',
    summary: 'Every job, by id: its schedule, when it is next due, its last run, its state',
    query: {
      limit: whole('Jobs in one page', { least: 1, most: 1000, otherwise: 200 }),
      cursor: optional(text('"next" of the page before', 128)),
    },
    answers: { 200: { about: 'A page of jobs', schema: 'JobPage' } },
    async handle({ query: { limit, cursor } }, { operator }) {
      const jobs = await operator.jobs({ after: cursor, limit: limit + 1 });
      const shown = jobs.slice(0, limit);
      const next = jobs.length > limit ? (shown.at(-1)?.definition.id ?? null) : null;
      return json({ jobs: shown.map(jobShape), next });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/graph',
    scope: 'read',
    summary: 'Which jobs follow and need which others',
    query: { job: optional(text('Only those that hang together with this one', 128)) },
    answers: { 200: { about: 'Jobs that have links, and the links', schema: 'Graph' } },
    problems: ['unknown_job'],
    handle: async ({ query: { job } }, { operator }) => json(valueOf(operator.graph(job))),
  }),
  route({
    method: 'GET',
    path: '/api/v1/jobs/{id}',
    scope: 'read',
    summary: 'One job, with what it does',
    answers: { 200: { about: 'The job', schema: 'JobDetail' } },
    problems: ['unknown_job'],
    handle: async ({ path: { id = '' } }, { operator }) =>
      json(jobDetailShape(valueOf(await operator.job(id)))),
  }),
  route({
    method: 'GET',
    path: '/api/v1/jobs/{id}/next',
    scope: 'read',
    summary: 'The coming times of a job, clock changes marked',
    query: { n: whole('How many', { least: 1, most: 1000, otherwise: 10 }) },
    answers: { 200: { about: 'Its times; none while it is disabled', schema: 'Times' } },
    problems: ['unknown_job'],
    handle({ path: { id = '' }, query: { n } }, { operator }) {
      const times = valueOf(operator.next(id, n));
      return json({ times: times.map((time) => jobTimeShape(id, time)) });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/jobs/{id}/why',
    scope: 'read',
    summary: 'Why a slot of the job ran, ran late or did not run, in a word and in words',
    query: {
      time: optional(instant('Of which slot; else the newest that has come')),
      timezone: optional(zone("The zone that its words are in; else the job's")),
    },
    answers: { 200: { about: 'Why', schema: 'Why' } },
    problems: ['unknown_job', 'history_unavailable'],
    handle: async ({ path: { id = '' }, query: { time, timezone } }, { operator }) =>
      json(whyShape(valueOf(await operator.why(id, time, timezone)))),
  }),
  route({
    method: 'GET',
    path: '/api/v1/jobs/{id}/days',
    scope: 'read',
    summary: "How the job's runs ended, and how many of its slots were skipped, day by day in its zone",
    query: { n: whole('How many days, up to today', { least: 1, most: 3660, otherwise: 366 }) },
    answers: { 200: { about: 'The days on which anything was, oldest first', schema: 'JobDays' } },
    problems: ['unknown_job', 'history_unavailable'],
    handle: async ({ path: { id = '' }, query: { n } }, { operator }) =>
      json(jobDaysShape(valueOf(await operator.days(id, n)))),
  }),
  route({
    method: 'GET',
    path: '/api/v1/pools',
    scope: 'read',
    summary: "Limits that runs share, and who has them: pools, then the daemon's own bounds (_runs and such)",
    answers: { 200: { about: 'The limits', schema: 'Pools' } },
    handle: (_, { operator }) => json({ pools: operator.pools().map(poolShape) }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/runs',
    scope: 'read',
    summary:
      'Runs and skipped slots, newest first: of one job by scheduled time, of all by the moment of decision',
    query: {
      job: optional(text('Of this job only', 128)),
      status: optional(
        someOf('Those that ended so; failed is every unsuccessful end but cancelled', STATUSES),
      ),
      since: optional(instant('Scheduled then or later')),
      until: optional(instant('Scheduled then or earlier')),
      limit: whole('Rows in one page', { least: 1, most: 1000, otherwise: 50 }),
      cursor: optional(text('"next" of the page before, of the same query', 500)),
      short_ids: flag('Also as much of each id as no other run begins with'),
    },
    answers: { 200: { about: 'A page of the history', schema: 'RunPage' } },
    problems: ['bad_cursor', 'history_unavailable'],
    async handle({ query: { job: jobId, status: statuses, short_ids, ...query } }, { operator }) {
      const wanted = { jobId, statuses, ...query, withUniqueLengths: short_ids };
      const { rows, next = null, uniqueLengths } = valueOf(await operator.runs(wanted));
      const shortIds =
        uniqueLengths && Array.from(uniqueLengths, ([id, length]) => [id, id.slice(0, length)]);
      return json({
        runs: rows.map(rowShape),
        next,
        ...(shortIds === undefined ? {} : { shortIds: Object.fromEntries(shortIds) }),
      });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/runs/{id}',
    scope: 'read',
    summary: 'One run, with its attempts',
    answers: { 200: { about: 'The run', schema: 'Run' } },
    problems: ['unknown_run', 'ambiguous_run', 'history_unavailable'],
    handle: async ({ path: { id = '' } }, { operator }) => json(runShape(valueOf(await operator.run(id)))),
  }),
  route({
    method: 'GET',
    path: '/api/v1/runs/{id}/output',
    scope: 'read',
    summary: 'What one attempt printed, byte for byte; standard output and error together',
    query: { attempt: whole('Which attempt; else the newest', { least: 1, most: 1_000_000 }) },
    headers: {
      range: { about: 'One range of bytes', schema: { type: 'string', examples: ['bytes=-1000'] } },
    },
    answers: {
      200: { about: 'All of it', type: 'text/plain' },
      206: { about: 'The range', type: 'text/plain' },
    },
    problems: ['unknown_run', 'ambiguous_run', 'no_output', 'output_away', 'range', 'history_unavailable'],
    async handle({ path: { id = '' }, query: { attempt }, header }, { operator }): Promise<Reply> {
      const output = valueOf(await operator.output(id, attempt));
      try {
        const { start, end, status, headers } = rangeOf(header('range'), output.size);
        return {
          kind: 'bytes',
          status,
          headers: {
            ...headers,
            'content-type': 'text/plain; charset=utf-8',
            'tsched-attempt': `${output.attempt}`,
          },
          length: end - start,
          bytes: output.read(start, end),
          close: () => output.close(),
        };
      } catch (error) {
        await output.close();
        throw error;
      }
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/explain',
    scope: 'read',
    summary: 'A cron expression in words, its traps and its next times',
    body: {
      expression: text('The expression', 1000),
      timezone: optional(text("The zone it is in; else the daemon's", 100)),
      count: whole('How many times', { least: 1, most: 1000, otherwise: 5 }),
      id: optional(text('The job id that H is drawn from', 128)),
    },
    answers: { 200: { about: 'What it means', schema: 'Explanation' } },
    problems: ['bad_expression'],
    handle: ({ body }, { operator }) => json(explanationShape(valueOf(operator.explain(body)))),
  }),
  route({
    method: 'POST',
    path: '/api/v1/validate',
    // What it names (includes, env files, variables) is read on this host, and told in its errors.
    scope: 'admin',
    summary: "Checks the text of a job file, as if it were the daemon's own",
    body: { text: text('The text', 1024 * 1024) },
    answers: { 200: { about: 'Its errors and warnings, and what it would change', schema: 'Validation' } },
    handle: async ({ body }, { operator }) => json(validationShape(await operator.validate(body.text))),
  }),
];

interface Range {
  readonly start: number;
  readonly end: number;
  readonly status: 200 | 206;
  readonly headers: Record<string, string>;
}

/** One range, as RFC 9110 has it; what is no such range is passed over. */
function rangeOf(header: string | undefined, size: number): Range {
  const all: Range = { start: 0, end: size, status: 200, headers: { 'accept-ranges': 'bytes' } };
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return all;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return all;
  if (start >= size || start >= end) {
    const headers = { 'content-range': `bytes */${size}` };
    throw new HttpProblem('range', `there are ${size} bytes`, { headers });
  }
  return {
    start,
    end,
    status: 206,
    headers: { ...all.headers, 'content-range': `bytes ${start}-${end - 1}/${size}` },
  };
}
