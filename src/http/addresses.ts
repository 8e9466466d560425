/** Where the API may be: checked before a daemon starts, without loading what serves it. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Problem } from '../schedule/problem.ts';

/** Of sun_path, without the NUL. */
const LONGEST_SOCKET_PATH = 107;

/** Why no socket can be made there; undefined when one can. Its directory may still be missing below `state`, which is made. */
export function socketProblem(path: string, state: string): Problem | undefined {
  const length = Buffer.byteLength(path);
  if (length > LONGEST_SOCKET_PATH) {
    const message = `the socket's path has ${length} bytes, where the system takes ${LONGEST_SOCKET_PATH}: ${path}`;
    return { message, hint: 'name a shorter one with --socket, or go without by --no-socket' };
  }
  const directory = dirname(resolve(path));
  if (directory === resolve(state)) return undefined;
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) {
    return {
      message: `there is no directory ${directory} for the socket`,
      hint: 'make it, or name another with --socket',
    };
  }
  if ((stat.mode & 0o002) === 0) return undefined;
  const message = `everyone may write ${directory}, and so put a socket of their own in place of ours`;
  return { message, hint: 'name a directory of your own with --socket' };
}

export interface Address {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly isLoopback: boolean;
}

/** Reads `127.0.0.1:9470`, `[::1]:9470`, `localhost:9470`. */
export function readAddress(text: string): Address | Problem {
  const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = plain === 'localhost' ? '127.0.0.1' : (bracketed ?? plain ?? '');
  const kind = process.getBuiltinModule('node:net').isIP(host);
  if (digits === undefined || port > 65_535 || kind !== (bracketed === undefined ? 4 : 6)) {
    return {
      message: `"${text}" is no address to listen on`,
      hint: 'write an IP address and a port, e.g. 127.0.0.1:9470',
    };
  }
  return { host, port, isLoopback: kind === 4 ? host.startsWith('127.') : /^(?:0*:)*0*1$/.test(host) };
}
