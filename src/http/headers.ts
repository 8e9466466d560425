import type { IncomingMessage } from 'node:http';

/** As they came: Node keeps the first of two. */
export function headersNamed({ rawHeaders }: IncomingMessage, name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}
