import { join, resolve } from 'node:path';
import type { OperatingSettings } from '../app-options.ts';
import { readAddress, socketProblem } from '../http/addresses.ts';
import { printable } from '../observe/text.ts';
import { isProblem, type Problem } from '../schedule/problem.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import { wording } from './wording.ts';

export interface ApiOptions {
  /** False: none. */
  readonly socket?: string | boolean;
  readonly socketMode: string;
  readonly listen?: string;
  readonly listenAnywhere?: boolean;
  readonly allowHost?: readonly string[] | string;
}

/**
 * Where the daemon can be asked; nothing when that is nowhere.
 * @throws Failure when it cannot be there, or should not
 */
export function apiSettings(
  options: ApiOptions,
  state: string,
  session: Session,
): { readonly serve?: OperatingSettings } {
  const path = options.socket === false ? undefined : socketPath(options.socket, state, session);
  const listen = options.listen === undefined || options.listen === '' ? undefined : address(options);
  if (path === undefined && listen === undefined) return {};
  return {
    serve: {
      wording: wording(session.hostTimezone),
      ...(path === undefined ? {} : { socket: { path, mode: Number.parseInt(options.socketMode, 8) } }),
      ...(listen === undefined ? {} : { listen }),
    },
  };
}

function socketPath(named: string | true | undefined, state: string, { environment }: Session): string {
  const runtime = environment.RUNTIME_DIRECTORY?.split(':')[0];
  const usual = join(runtime === undefined || runtime === '' ? state : runtime, 'tsched.sock');
  const path = typeof named === 'string' && named !== '' ? resolve(named) : usual;
  const problem = socketProblem(path, state);
  if (problem !== undefined) throw failure(exit.cannotCreate, problem);
  return path;
}

function address({
  listen = '',
  listenAnywhere,
  allowHost = [],
}: ApiOptions): NonNullable<OperatingSettings['listen']> {
  const found = readAddress(listen);
  if (isProblem(found)) throw failure(exit.usage, found);
  const { host, port, isLoopback } = found;
  if (!isLoopback && listenAnywhere !== true) {
    const message = `${host} is an address that others reach, and tokens would go there in clear text`;
    const hint = 'listen on 127.0.0.1 behind a proxy with TLS, or say --listen-anywhere';
    throw new Failure(exit.usage, message, hint);
  }
  const allowHosts = [allowHost]
    .flat()
    .flatMap((names) => names.split(/[\s,]+/))
    .filter((name) => name !== '');
  return { host, port, allowHosts };
}

function failure(code: number, { message, hint }: Problem): Failure {
  return new Failure(code, printable(message), hint);
}
