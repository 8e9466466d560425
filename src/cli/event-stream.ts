import type { IncomingMessage } from 'node:http';

/** One server-sent event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Of one event, in characters; what is longer is from no tsched. */
const LONGEST = 16 * 1024 * 1024;

/** How a stream breaks off. */
const ENDS: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** The events of a response as they come. Ends with the response, however that ends; leaving the loop ends the response. */
export async function* eventsIn(response: IncomingMessage): AsyncGenerator<ServerEvent, void> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      const blocks = (rest + (chunk as string)).split('\n\n');
      rest = blocks.pop() ?? '';
      if (rest.length > LONGEST) return;
      for (const block of blocks) {
        const event = eventOf(block);
        if (event !== undefined) yield event;
      }
    }
  } catch (error) {
    if (!ENDS.has((error as NodeJS.ErrnoException).code)) throw error;
  } finally {
    response.destroy();
  }
}

/** Undefined for what is none, as the signs of life between them. */
function eventOf(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    fields.set(name, value);
  }
  const data = fields.get('data');
  return data === undefined
    ? undefined
    : { name: fields.get('event') ?? '', data: JSON.parse(data) as unknown };
}
