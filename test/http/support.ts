/** Asks a real daemon over its real sockets. */
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { startDaemon, type Daemon, type DaemonOptions } from '../support/daemon.ts';

export interface Told {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** Of a JSON answer; undefined for any other. */
  readonly body: Body;
}

/** Answers are told field by field in tests. */
export type Body = ReturnType<JSON['parse']>;

export interface Wanted {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly raw?: string;
}

export type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** What the daemon says of itself. */
export function infoOf(daemon: Daemon): { socket?: string; listen?: string } {
  const text = readFileSync(join(daemon.stateDirectory, 'daemon.json'), 'utf8');
  return JSON.parse(text === '' ? '{}' : text) as { socket?: string; listen?: string };
}

/** Starts a daemon whose API can be asked. */
export async function startAsked(options: DaemonOptions): Promise<Daemon> {
  const daemon = await startDaemon(options).ready();
  const wantsPort = options.args?.includes('--listen') === true;
  await daemon.until('the API to open', () => {
    const { socket, listen } = infoOf(daemon);
    return (socket ?? listen) !== undefined && (!wantsPort || listen !== undefined);
  });
  return daemon;
}

export function socketOf(daemon: Daemon): Place {
  return { socketPath: infoOf(daemon).socket ?? '' };
}

export function portOf(daemon: Daemon): { readonly host: string; readonly port: number } {
  const [host = '', port] = (infoOf(daemon).listen ?? '').split(':');
  return { host, port: Number(port) };
}

/** One request and its whole answer. */
export function ask(place: Place, path: string, wanted: Wanted = {}): Promise<Told> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', json, raw, headers } = wanted;
    const typed = json === undefined ? headers : { 'content-type': 'application/json', ...headers };
    const asking = request({ ...place, path, method, headers: typed, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const isJson = (response.headers['content-type'] ?? '').endsWith('json');
        const body = isJson && text !== '' ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body });
      });
    });
    asking.on('error', reject);
    asking.end(json === undefined ? raw : JSON.stringify(json));
  });
}

export interface Event {
  readonly name: string;
  readonly id: string;
  readonly data: Body;
}

/** A stream of server-sent events as it comes. */
export class Events {
  readonly all: Event[] = [];
  ended = false;
  readonly #request: ReturnType<typeof request>;
  #rest = '';

  constructor(place: Place, path: string, headers: OutgoingHttpHeaders = {}) {
    this.#request = request({ ...place, path, headers, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
      response.on('end', () => (this.ended = true));
      response.on('error', () => (this.ended = true));
    });
    this.#request.on('error', () => (this.ended = true));
    this.#request.end();
  }

  close(): void {
    this.#request.destroy();
  }

  #take(chunk: string): void {
    const parts = (this.#rest + chunk).split('\n\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) {
      const lines = part.split('\n').map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1) ?? ['', '']);
      const field = Object.fromEntries(lines) as Record<string, string>;
      if (field['data'] === undefined) continue; // a sign of life
      const data = JSON.parse(field['data']);
      this.all.push({ name: field['event'] ?? '', id: field['id'] ?? '', data });
    }
  }
}
