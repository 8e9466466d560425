import type { Server } from 'node:http';
import { lstatSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import type { Clock } from '../engine/ports.ts';

/** Nobody can be answered there. */
export class ListenTrouble extends Error {
  override readonly name = 'ListenTrouble';
}

/**
 * Listens on a Unix socket, made with this mode: at no moment can others than it names connect.
 * @throws ListenTrouble
 */
export async function listenOnSocket(server: Server, path: string, mode: number): Promise<void> {
  await clear(path);
  // It is bound before `listen` returns.
  const umask = process.umask(0o777 & ~mode);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  await listening(server, path);
}

/** @throws ListenTrouble. Gives the port, which is the system's choice where 0 was asked for. */
export async function listenOnPort(server: Server, host: string, port: number): Promise<number> {
  server.listen({ host, port });
  await listening(server, `${host}:${port}`);
  return (server.address() as AddressInfo).port;
}

/** Replies under way have this long. Milliseconds. */
const PATIENCE = 500;

/** Ends it: replies under way may end, streams are cut. */
export async function closeServer(server: Server, clock: Clock): Promise<void> {
  const callOff = clock.after(PATIENCE, () => server.closeAllConnections());
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  callOff();
}

/** Its events come in a later turn of the loop. */
function listening(server: Server, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = ({ code, message }: NodeJS.ErrnoException): void => {
      const reason = code === 'EADDRINUSE' ? 'another process listens there' : message;
      reject(new ListenTrouble(`cannot listen on ${where}: ${reason}`));
    };
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** Tells the file there from every other; undefined when there is none, or none can be seen. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Removes a socket that a daemon left which was killed. One that answers is another's, and stays. */
async function clear(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new ListenTrouble(`cannot listen on ${path}: there is something else than a socket`);
  if (await answers(path)) throw new ListenTrouble(`cannot listen on ${path}: another process listens there`);
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    // EACCES, EAGAIN (its queue is full): somebody may be there.
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      end(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}
