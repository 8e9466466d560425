/** Streams of what happens, and what monitors ask. */
import type { FeedEntry, Operator, OutputPiece, OutputPlace } from '../engine/ports-operator.ts';
import { optional, text, whole } from './fields.ts';
import { HttpProblem } from './problem.ts';
import { json, route, valueOf, type EventStream, type Reply, type Route } from './route.ts';
import { eventShape } from './event-shape.ts';

const lastEventId = (about: string) => ({
  'last-event-id': { about, schema: { type: 'string', maxLength: 100 } },
});

export const watchRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/v1/events',
    scope: 'read',
    summary: 'Everything that happens, as server-sent events; if asked for, also what a run prints',
    query: {
      job: optional(text('Events of this job only', 128)),
      after: optional(text('As last-event-id, for those who cannot set a header', 100)),
      run: optional(text('What this run prints is told between the events, as by its output stream', 36)),
      from: optional(text('Where its output goes on: attempt:offset', 24)),
    },
    headers: lastEventId(
      'Goes on after this event; when that is no longer known, a "reset" comes first: ask for all anew',
    ),
    answers: {
      200: {
        about: 'Events by their kind; "output" and its "end", which have no id; data is JSON',
        type: 'text/event-stream',
      },
    },
    problems: ['busy'],
    async handle({ query: { job, after, run, from }, header, signal }, { operator }): Promise<Reply> {
      const output = run === undefined ? undefined : await operator.followOutput(run, placeOf(from), signal);
      return {
        kind: 'events',
        async run(stream) {
          const close = tellEvents(stream, operator, { job, after: header('last-event-id') ?? after });
          try {
            if (output?.ok === true) await tellOutput(stream, output.value, { withIds: false });
            // Not refused: events go on without it.
            else if (output !== undefined) stream.send({ name: 'end', data: {} });
            await new Promise<void>((resolve) => {
              stream.signal.addEventListener('abort', () => resolve());
              if (stream.signal.aborted) resolve();
            });
          } finally {
            close();
          }
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/runs/{id}/output/stream',
    scope: 'read',
    summary: 'What a run prints, attempt after attempt, as it comes, until it is over',
    query: { attempt: whole('From this attempt on', { least: 1, most: 1_000_000 }) },
    headers: lastEventId('Goes on there'),
    answers: {
      200: { about: '"output" events with attempt, offset, text; then "end"', type: 'text/event-stream' },
    },
    problems: ['unknown_run', 'ambiguous_run', 'history_unavailable', 'busy'],
    async handle({ path: { id = '' }, query: { attempt }, header, signal }, { operator }): Promise<Reply> {
      const from =
        placeOf(header('last-event-id')) ?? (attempt === undefined ? undefined : { attempt, offset: 0 });
      const pieces = valueOf(await operator.followOutput(id, from, signal));
      return {
        kind: 'events',
        run: (stream) => tellOutput(stream, pieces, { withIds: true }),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/healthz',
    scope: 'open',
    local: true,
    summary: 'The process is there and its loop turns',
    answers: { 200: { about: 'It is', schema: 'Health' } },
    handle: () => json({ ok: true }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    scope: 'open',
    local: true,
    summary: 'Jobs are armed, and what happens to them is recorded',
    answers: {
      200: { about: 'So it is', schema: 'Readiness' },
      503: { about: 'It is not, and why', schema: 'Readiness' },
    },
    handle(_, { node }) {
      const readiness = node.readiness();
      return json(readiness, readiness.ready ? 200 : 503);
    },
  }),
  route({
    method: 'GET',
    path: '/metrics',
    scope: 'read',
    local: true,
    summary: 'Figures for Prometheus',
    answers: { 200: { about: 'In its text format', type: 'text/plain; version=0.0.4; charset=utf-8' } },
    handle: async (_, api) => ({
      kind: 'text',
      text: await api.metrics(),
      type: 'text/plain; version=0.0.4; charset=utf-8',
    }),
  }),
  route({
    method: 'GET',
    path: '/openapi.json',
    scope: 'read',
    local: true,
    summary: 'This document',
    answers: { 200: { about: 'OpenAPI 3.1', schema: 'Document' } },
    handle: (_, api) => json(api.document()),
  }),
];

/** Tells what happens from now on. Gives what ends that. */
function tellEvents(
  stream: EventStream,
  operator: Operator,
  { job, after }: { readonly job: string | undefined; readonly after: string | undefined },
): () => void {
  const early: FeedEntry[] = [];
  let tell = (entry: FeedEntry): void => void early.push(entry);
  const { missed, last, close } = operator.subscribe((entry) => tell(entry), after);
  if (missed) stream.send({ name: 'reset', id: last, data: {} });
  else if (early.length === 0) stream.send({ name: 'hello', id: last, data: {} });
  tell = (entry) => sendEntry(stream, entry, job);
  early.forEach(tell);
  return close;
}

/** As fast as the asker reads. */
async function tellOutput(
  stream: EventStream,
  pieces: AsyncIterable<OutputPiece>,
  { withIds }: { readonly withIds: boolean },
): Promise<void> {
  let id: { readonly id?: string } = withIds ? { id: '' } : {};
  for await (const piece of pieces) {
    if (withIds) id = { id: `${piece.attempt}:${piece.offset}` };
    stream.send({ name: 'output', ...id, data: piece });
    await stream.drained();
  }
  if (!stream.signal.aborted) stream.send({ name: 'end', ...id, data: {} });
}

function sendEntry(stream: EventStream, entry: FeedEntry, jobId: string | undefined): void {
  const { event, id } = entry;
  if (jobId !== undefined && jobOf(entry) !== jobId) return;
  stream.send({ name: event.kind, id, data: eventShape(entry) });
}

function jobOf({ event }: FeedEntry): string | undefined {
  if ('run' in event) return event.run.jobId;
  if ('skip' in event) return event.skip.jobId;
  if ('replay' in event) return event.replay.jobId;
  return 'jobId' in event ? event.jobId : undefined;
}

/** @throws HttpProblem when it is none */
function placeOf(id: string | undefined): OutputPlace | undefined {
  if (id === undefined || id === '') return undefined;
  const [, attempt, offset] = /^(\d{1,7}):(\d{1,15})$/.exec(id) ?? [];
  if (attempt === undefined) throw new HttpProblem('bad_request', 'this is no event id of an output stream');
  return { attempt: Math.max(Number(attempt), 1), offset: Number(offset) };
}
