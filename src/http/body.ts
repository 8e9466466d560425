import type { IncomingMessage } from 'node:http';

/** The body of a request; undefined when it is longer than `most` bytes, however it is sent. Rejects when the asker goes. */
export async function readBody(
  request: IncomingMessage,
  most: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= most) return void chunks.push(chunk);
      request.off('data', take);
      request.pause();
      resolve(undefined);
    };
    request.on('data', take);
    request.on('end', () => resolve(Buffer.concat(chunks)));
    const gone = (): void => reject(new Error('the asker has gone'));
    request.on('error', gone);
    signal.addEventListener('abort', gone);
  });
}
