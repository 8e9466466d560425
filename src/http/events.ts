/** Server-sent events. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Clock } from '../engine/ports.ts';
import type { Duration } from '../model.ts';
import { HttpProblem } from './problem.ts';
import type { EventStream, Reply } from './route.ts';
import { drained, jsonText } from './writing.ts';

export interface EventsOptions {
  readonly clock: Clock;
  /** The asker has gone. */
  readonly signal: AbortSignal;
}

/** Streams at once, of all listeners. */
const MOST_STREAMS = 100;
/** Between two signs of life, so that neither side waits for one that is gone. */
const HEARTBEAT: Duration = 15_000;
/** Waiting for an asker that does not read; beyond that it is cut off, and may resume. Bytes. */
const MOST_WAITING = 1024 * 1024;

const open = new Set<ServerResponse>();

/** Writes a stream until it ends or the asker goes. */
export async function events(
  response: ServerResponse,
  reply: Extract<Reply, { kind: 'events' }>,
  { clock, signal, headers }: EventsOptions & { readonly headers: OutgoingHttpHeaders },
): Promise<void> {
  if (open.size >= MOST_STREAMS) {
    throw new HttpProblem('busy', `${MOST_STREAMS} streams are open`, {
      hint: 'close one, or try again later',
    });
  }
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
  response.flushHeaders();
  if (response.req.method === 'HEAD') return void response.end();
  open.add(response);
  let callOff = (): void => undefined;
  const beat = (): void => {
    response.write(': still here\n\n');
    callOff = clock.after(HEARTBEAT, beat);
  };
  callOff = clock.after(HEARTBEAT, beat);
  try {
    await reply.run(streamOn(response, signal));
  } finally {
    callOff();
    open.delete(response);
    response.end();
  }
}

function streamOn(response: ServerResponse, signal: AbortSignal): EventStream {
  return {
    signal,
    send({ name, id, data }) {
      if (response.destroyed) return;
      // Our names and ids hold no line breaks, and JSON escapes those of the data.
      const named = id === undefined ? '' : `id: ${id}\n`;
      response.write(`event: ${name}\n${named}data: ${jsonText(data)}\n\n`);
      if (response.writableLength > MOST_WAITING) response.destroy();
    },
    drained: () => (response.writableNeedDrain ? drained(response) : Promise.resolve()),
  };
}
