/** Talks to a running daemon: over its Unix socket, where file permissions are the login, or over TCP with a token. */
import { existsSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Diagnostic } from '../config/diagnostic.ts';
import type { Duration } from '../model.ts';
import { printable } from '../observe/text.ts';
import { readDaemonFile } from '../store/daemon-file.ts';
import { statePaths } from '../store/state-directory.ts';
import { eventsIn, type ServerEvent } from './event-stream.ts';
import { exit, Failure } from './exit.ts';
import type { Session } from './session.ts';
import { stateDirectory } from './state-directory.ts';

export interface ClientOptions {
  readonly stateDir?: string;
  /** Of the daemon's socket; default: as the daemon of the state directory says. */
  readonly socket?: string;
  /** e.g. http://127.0.0.1:9470; wins over the socket. */
  readonly url?: string;
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON; a text as YAML. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long it may say nothing. */
  readonly patience?: Duration;
}

/** What the daemon says when it will not (RFC 9457). */
interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly errors?: readonly Diagnostic[];
}

/** The daemon said no, in its words. */
export class Refused extends Failure {
  /** Its name for why, e.g. `unknown_job`; empty when it gave none. */
  readonly reason: string;
  /** What is wrong in a job file, if that is why. */
  readonly errors: readonly Diagnostic[];

  constructor(status: number, { code = '', title, detail, hint, errors = [] }: Problem) {
    const message = printable(detail ?? title ?? `the daemon answered ${status}`);
    super(exitCodeOf(code, status), message, hint === undefined ? undefined : printable(hint));
    this.reason = code;
    this.errors = errors;
  }
}

/** Without a word from the daemon. */
const PATIENCE: Duration = 30_000;
/** Between two events it gives a sign of life every 15 s. */
const STREAM_PATIENCE: Duration = 60_000;

export class Client {
  /** Its files are those of this machine. */
  readonly isLocal: boolean;
  /** How the daemon is called in messages. */
  readonly name: string;
  readonly #target: RequestOptions & { readonly protocol: string };
  readonly #token: string | undefined;

  /** @throws Failure (64) when the address is none */
  constructor(options: ClientOptions, { environment }: Session) {
    const url = options.url ?? environment.TSCHED_URL;
    this.isLocal = url === undefined || url === '';
    if (url === undefined || url === '') {
      const named = options.socket ?? environment.TSCHED_SOCKET;
      const path = named === undefined || named === '' ? socketOf(options, environment) : named;
      // Of our own: an agent, which keeps connections for later, costs more than the request.
      // It is the agent, too, that would bound the silence on it.
      const createConnection = ({ timeout = PATIENCE }: { readonly timeout?: number | undefined }): Socket =>
        connect({ path, timeout });
      this.#target = { protocol: 'http:', host: 'localhost', createConnection };
      this.name = path;
    } else {
      this.#token = environment.TSCHED_TOKEN;
      this.#target = targetOf(url);
      this.name = url;
    }
  }

  get<T>(path: string, patience = PATIENCE): Promise<T> {
    return this.call<T>(path, { patience });
  }

  post<T>(path: string, body?: unknown, headers?: Call['headers']): Promise<T> {
    return this.call<T>(path, { method: 'POST', body, ...(headers === undefined ? {} : { headers }) });
  }

  /**
   * Asks below /api/v1 and gives the answer.
   * @throws Refused in the daemon's words; Failure (69) when there is no daemon, or it goes away before it has answered
   */
  async call<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.#send(path, call, call.patience ?? PATIENCE);
    const text = await this.#textOf(response);
    const { statusCode = 0 } = response;
    if (statusCode >= 300) throw refusal(statusCode, text);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new Failure(exit.unavailable, `what answers at ${printable(this.name)} is no tsched`);
    }
  }

  /** How many bytes there are at a path that gives ranges. @throws as `call` */
  async size(path: string): Promise<number> {
    const response = await this.#range(path, 0, 1);
    response.resume();
    return Number(/\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1] ?? 0);
  }

  /** Bytes of it, from `start` up to, not including, `end`; fewer where there are no more. @throws as `call` */
  async range(path: string, start: number, end: number): Promise<Buffer> {
    const response = await this.#range(path, start, end);
    const pieces: Buffer[] = [];
    try {
      for await (const piece of response) pieces.push(piece as Buffer);
    } catch {
      throw this.gone();
    }
    return response.statusCode === 416 ? Buffer.alloc(0) : Buffer.concat(pieces);
  }

  /** 416 is an answer too: there are no more bytes than it says. */
  async #range(path: string, start: number, end: number): Promise<IncomingMessage> {
    const response = await this.#send(path, { headers: { range: `bytes=${start}-${end - 1}` } }, PATIENCE);
    const { statusCode = 0 } = response;
    if (statusCode >= 300 && statusCode !== 416) throw refusal(statusCode, await this.#textOf(response));
    return response;
  }

  /**
   * A stream of events, open when this resolves; it ends when the daemon ends it or goes away, or `signal` says so. `after`: it goes on
   * after that event.
   * @throws as `call`
   */
  async events(
    path: string,
    { signal, after }: { readonly signal?: AbortSignal; readonly after?: string | undefined } = {},
  ): Promise<AsyncGenerator<ServerEvent, void>> {
    const headers = after === undefined ? {} : { 'last-event-id': after };
    const response = await this.#send(path, { headers }, STREAM_PATIENCE);
    const { statusCode = 0 } = response;
    if (statusCode >= 300) throw refusal(statusCode, await this.#textOf(response));
    signal?.addEventListener('abort', () => response.destroy());
    return eventsIn(response);
  }

  /** It was there and is no more. */
  gone(hint?: string): Failure {
    return new Failure(exit.unavailable, `the tsched at ${printable(this.name)} has gone away`, hint);
  }

  #send(
    path: string,
    { method = 'GET', body, headers = {} }: Call,
    timeout: Duration,
  ): Promise<IncomingMessage> {
    const { protocol, ...target } = this.#target;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const type = typeof body === 'string' ? 'application/yaml' : 'application/json';
    // Loading TLS takes as long as all the rest of a short command.
    const send = protocol === 'https:' ? process.getBuiltinModule('node:https').request : httpRequest;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = send(
      {
        ...target,
        path: `/api/v1${path}`,
        method,
        timeout,
        headers: {
          ...(text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...headers,
        },
      },
      resolve,
    );
    request.on('timeout', () => request.destroy(new Error('it does not answer')));
    request.on('error', (error) => reject(this.#unreachable(error)));
    request.end(text);
    return promise;
  }

  async #textOf(response: IncomingMessage): Promise<string> {
    response.setEncoding('utf8');
    let text = '';
    try {
      for await (const chunk of response) text += chunk as string;
    } catch {
      throw this.gone();
    }
    return text;
  }

  #unreachable(error: NodeJS.ErrnoException): Failure {
    const name = printable(this.name);
    const code = error.code ?? '';
    if (code === 'EACCES') {
      const hint = 'be the user it runs as, or root';
      return new Failure(exit.notAllowed, `you may not talk to the tsched at ${name}`, hint);
    }
    if (ABSENT.has(code)) {
      const hint =
        'start one: tsched start; or name its state directory with --state-dir, or its address with --url';
      return new Failure(exit.unavailable, `no tsched is running at ${name}`, hint);
    }
    if (code === 'ECONNRESET' || code === 'EPIPE') return this.gone();
    if (code === 'ERR_INVALID_CHAR') {
      return new Failure(exit.usage, 'TSCHED_TOKEN is no token', 'take one that tsched token create gave');
    }
    const text = `the tsched at ${name} cannot be asked: ${printable(error.message)}`;
    return new Failure(exit.unavailable, text);
  }
}

/** Nobody listens there. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED']);

/** @throws Failure (64) */
function targetOf(text: string): RequestOptions & { readonly protocol: string } {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new Failure(
      exit.usage,
      `"${printable(text)}" is no address of a tsched`,
      'write e.g. http://127.0.0.1:9470',
    );
  }
  return { protocol: url.protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port };
}

/** Where the unit of `tsched install` has it. */
const OF_THE_SYSTEM = '/run/tsched/tsched.sock';

/** As the daemon of the state directory says; where there never was one, that of the system if that is there. */
function socketOf({ stateDir }: ClientOptions, environment: Session['environment']): string {
  const directory = stateDirectory(stateDir, environment);
  const told = readDaemonFile(statePaths(directory).daemon);
  if (told?.socket !== undefined) return told.socket;
  const isNamed = (stateDir ?? environment.STATE_DIRECTORY ?? '') !== '';
  if (!isNamed && told === undefined && existsSync(OF_THE_SYSTEM)) return OF_THE_SYSTEM;
  return join(directory, 'tsched.sock');
}

function refusal(status: number, text: string): Refused {
  return new Refused(status, problemOf(text));
}

function problemOf(text: string): Problem {
  try {
    const problem = JSON.parse(text) as Problem | null;
    return problem ?? {};
  } catch {
    return {}; // not from a tsched, then
  }
}

function exitCodeOf(code: string, status: number): number {
  return CODES[code] ?? (status >= 500 ? exit.unavailable : exit.no);
}

/** What is not here is a plain no. */
const CODES: Readonly<Record<string, number>> = {
  bad_request: exit.usage,
  bad_body: exit.usage,
  too_large: exit.usage,
  past: exit.usage,
  unknown_job: exit.usage,
  unknown_run: exit.usage,
  unknown_replay: exit.usage,
  unknown_node: exit.usage,
  no_slots: exit.no,
  too_many_slots: exit.usage,
  too_parallel: exit.usage,
  ambiguous_run: exit.usage,
  unknown_path: exit.usage,
  no_token: exit.notAllowed,
  too_small_scope: exit.notAllowed,
  foreign_host: exit.notAllowed,
  foreign_origin: exit.notAllowed,
  bad_file: exit.badFile,
  no_file: exit.noInput,
  bad_expression: exit.badFile,
  bad_arguments: exit.usage,
  bug: exit.bug,
};
