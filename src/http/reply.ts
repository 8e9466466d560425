/** Writes replies. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { events, type EventsOptions } from './events.ts';
import type { HttpProblem } from './problem.ts';
import type { Reply } from './route.ts';
import { drained, jsonText } from './writing.ts';

/** Answers are nobody's to keep, to guess the type of, or to show in a frame; nothing in them may run. */
const ALWAYS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Given to an asker who is still sending, to read the answer before the connection is cut. Bytes. */
const LINGER = 4 * 1024 * 1024;

export async function write(response: ServerResponse, reply: Reply, options: EventsOptions): Promise<void> {
  switch (reply.kind) {
    case 'json':
      return whole(response, reply.status ?? 200, {
        headers: { ...reply.headers, 'content-type': 'application/json' },
        text: jsonText(reply.body),
      });
    case 'text':
      return whole(response, 200, { headers: { 'content-type': reply.type }, text: reply.text });
    case 'file':
      return void response
        .writeHead(reply.status, {
          ...ALWAYS,
          ...reply.headers,
          ...(reply.status === 200 ? { 'content-length': reply.bytes.length } : {}),
        })
        .end(reply.bytes);
    case 'bytes':
      return bytes(response, reply);
    case 'events':
      return events(response, reply, { ...options, headers: ALWAYS });
  }
}

export function writeProblem(request: IncomingMessage, response: ServerResponse, problem: HttpProblem): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body, more } = problem;
  // What is still coming is not read: the connection cannot be used again.
  const close = request.complete ? {} : { connection: 'close' };
  whole(response, status, {
    headers: { ...close, ...more.headers, 'content-type': 'application/problem+json' },
    text: jsonText(body),
  });
  if (request.complete) return;
  let discarded = 0;
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > LINGER) request.destroy();
  });
  request.resume();
}

function whole(
  response: ServerResponse,
  status: number,
  { headers, text }: { headers: Readonly<Record<string, string>>; text: string },
): void {
  response.writeHead(status, { ...ALWAYS, ...headers, 'content-length': Buffer.byteLength(text) });
  // As text: so Node sends it in one piece with the headers.
  response.end(text);
}

async function bytes(response: ServerResponse, reply: Extract<Reply, { kind: 'bytes' }>): Promise<void> {
  try {
    response.writeHead(reply.status, { ...ALWAYS, ...reply.headers, 'content-length': reply.length });
    let sent = 0;
    // Of a HEAD request nothing is sent.
    for await (const chunk of response.req.method === 'HEAD' ? [] : reply.bytes) {
      if (response.destroyed) return;
      sent += chunk.length;
      if (!response.write(chunk)) await drained(response);
    }
    // The file was cut meanwhile: a short answer must not look like a whole one.
    if (sent < reply.length && response.req.method !== 'HEAD') response.destroy();
    else response.end();
  } finally {
    await reply.close();
  }
}
