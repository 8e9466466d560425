/**
 * Opens the API of a daemon that is running already. Part of the composition: what serves is loaded here, when jobs are armed, so
 * that no start waits for it.
 */
import { dirname } from 'node:path';
import type { NodeHandler } from './engine/ports-calls.ts';
import type { FeedEntry } from './engine/ports-operator.ts';
import type { Clock } from './engine/ports.ts';
import type { HttpParts, Listener } from './http/http.ts';
import type { Duration } from './model.ts';
import type { Log } from './observe/log.ts';
import type { Metrics, MetricsOptions } from './observe/metrics.ts';

export interface ServeSettings {
  /** Absent: none. `mode` e.g. 0o600. */
  readonly socket?: { readonly path: string; readonly mode: number };
  /** Absent: none. */
  readonly listen?: { readonly host: string; readonly port: number; readonly allowHosts: readonly string[] };
}

export interface ServingParts extends Pick<
  HttpParts,
  'node' | 'operator' | 'elsewhere' | 'clock' | 'version'
> {
  readonly clock: Clock;
  /** What metrics are made from. */
  readonly figures: MetricsOptions['operator'];
  /** Has the listener hear of all that has happened since the daemon began, and of what happens. */
  readonly hear: (listener: (entry: FeedEntry) => void) => void;
  /** In a cluster: from now on this answers what other nodes pass on. */
  readonly onAnswering?: (handler: NodeHandler) => void;
  /** Path of the tokens that open the API over TCP. */
  readonly tokens: string;
  readonly log: Pick<Log, 'write'>;
  /** Makes the state directory again, and takes it, should it have been removed. Throws when that cannot be. */
  readonly reclaim: () => void;
  /** It can be talked to there; called again for another place. */
  readonly onOpen: (where: { readonly socket?: string; readonly listen?: string }) => void;
}

/** Between two tries where something is in the way. */
const RETRY: Duration = 30_000;
/** Between two looks at whether the socket is still where it was, however often the loop turns. */
const LOOK: Duration = 5000;

interface Open {
  readonly listener: Listener;
  readonly again: () => Promise<Listener>;
}

/** The API of a daemon. What cannot be opened is told, and tried again: no job is worse for it. */
export class Serving {
  readonly #parts: ServingParts;
  readonly #open = new Set<Open>();
  readonly #callOffs = new Set<() => void>();
  #metrics: Metrics | undefined;
  #closed = false;
  #lookedAt: Duration = 0;
  #isReplaced = false;

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  async open({ socket, listen }: ServeSettings): Promise<void> {
    const { node, operator, elsewhere, figures, clock, version, log, tokens, onOpen } = this.#parts;
    const [http, { createMetrics }] = await Promise.all([
      import('./http/http.ts'),
      import('./observe/metrics.ts'),
    ]);
    const metrics = createMetrics({ operator: figures, clock });
    this.#metrics = metrics;
    this.#parts.hear(({ event }) => metrics.observe(event));
    const parts = {
      node,
      operator,
      ...(elsewhere && { elsewhere }),
      clock,
      version,
      metrics: () => metrics.text(),
      onBug: (error: unknown) =>
        log.write('error', `a mistake of tsched itself, please report it: ${stackOf(error)}`),
    };
    this.#parts.onAnswering?.(http.answerNodes(parts));
    if (socket !== undefined) {
      await this.#try(async () => {
        const listener = await http.serveSocket(parts, socket);
        onOpen({ socket: listener.at });
        return listener;
      });
    }
    if (listen !== undefined) {
      await this.#try(async () => {
        const listener = await http.serveTcp(parts, { ...listen, tokens });
        onOpen({ listen: listener.at });
        log.write('notice', `the page and the API are at http://${listener.at}/`, { listen: listener.at });
        await this.#tellOfTokens();
        return listener;
      });
    }
  }

  /** Who opens the page for the first time needs to know what to type there. */
  async #tellOfTokens(): Promise<void> {
    const { log, tokens } = this.#parts;
    const { readTokens, TokenTrouble } = await import('./http/tokens.ts');
    try {
      if (readTokens(tokens).length > 0) return;
    } catch (error) {
      if (!(error instanceof TokenTrouble)) throw error;
      log.write('error', error.message);
      return;
    }
    const command = `tsched token create me --scope run --state-dir '${dirname(tokens)}'`;
    log.write('notice', `nobody can log in there yet; this makes a token: ${command}`);
  }

  /** Opens anew what was removed. Called by the loop whenever it turns: somebody may clear /run, or a state directory, under a daemon. */
  look(): void {
    const { clock, log } = this.#parts;
    const now = clock.monotonic();
    if (this.#closed || now - this.#lookedAt < LOOK) return;
    this.#lookedAt = now;
    for (const open of this.#open) {
      const { listener } = open;
      const state = listener.state();
      if (state === 'gone') void this.#reopen(open);
      if (state === 'replaced' && !this.#isReplaced) {
        const what = `${listener.at} is not the daemon's socket any more: something else is there in its place`;
        log.write('error', `${what}; remove it, and the socket is made again`);
      }
      this.#isReplaced = state === 'replaced';
    }
  }

  /** Requests under way may end; nobody else can reach what was open there. */
  async #reopen(open: Open): Promise<void> {
    const { log, reclaim } = this.#parts;
    this.#open.delete(open);
    log.write('warning', `${open.listener.at} was removed; it is made again`);
    const closing = open.listener.close();
    await this.#try(() => {
      reclaim();
      return open.again();
    });
    await closing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const callOff of this.#callOffs) callOff();
    await Promise.all(Array.from(this.#open, ({ listener }) => listener.close()));
    this.#metrics?.close();
  }

  async #try(open: () => Promise<Listener>): Promise<void> {
    if (this.#closed) return;
    try {
      const listener = await open();
      if (this.#closed) await listener.close();
      else this.#open.add({ listener, again: open });
    } catch (error) {
      const { log, clock } = this.#parts;
      const message = error instanceof Error ? error.message : String(error);
      log.write('crit', `${message}; jobs go on without it, it is tried again every ${RETRY / 1000} s`);
      const callOff = clock.after(RETRY, () => {
        this.#callOffs.delete(callOff);
        void this.#try(open);
      });
      this.#callOffs.add(callOff);
    }
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
