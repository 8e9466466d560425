/**
 * One attempt of an HTTP request. The daemon makes it itself, so it ends with the daemon: what an earlier one had begun is lost.
 * Whoever makes the output file of the attempt has the say whether it begins, as with threads.
 */
import { once } from 'node:events';
import { createWriteStream, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import type { AttemptHandle, AttemptReport, AttemptSpec, StopReason } from '../engine/ports.ts';
import type { HttpTask } from '../http-task.ts';
import type { Outcome } from '../model.ts';
import { isFound } from './body-match.ts';
import { exchange, NoAnswer, type Answer } from './http-exchange.ts';
import { outcomeOfStatus, reasonOf } from './http-words.ts';
import type { WatchedOutput } from './output.ts';
import { attemptBase, makeDirectory, outcomeOfStop, type ProcessServices } from './process-attempt.ts';
import { Turns } from './turns.ts';
import { Veil, veiled } from './veil.ts';

/** Requests under way at once, of all jobs: each holds a connection. */
const MOST_AT_ONCE = 256;

/** Of a body, looked at by `expect.body_matches`. Bytes. */
const MOST_MATCHED = 1024 * 1024;

/** What is wrong when the output file is there already. */
/** How long a pattern may be tried on a body that somebody else has written. Milliseconds. */
const MATCHING = 10_000;

const TAKEN = 'Another daemon has taken this over.';

type Services = Pick<ProcessServices, 'runsDirectory' | 'clock' | 'outputs' | 'output' | 'onOutput'>;

/** All requests of a daemon. */
export class HttpRequests {
  readonly #services: Services;
  readonly #turns = new Turns(MOST_AT_ONCE);
  readonly #active = new Set<HttpAttempt>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Starts an attempt. Throws when its directory or its output file cannot be made. */
  start(spec: AttemptSpec, task: HttpTask, report: (report: AttemptReport) => void): AttemptHandle {
    const sink = this.#open(spec);
    if (sink === undefined) {
      report({ kind: 'ended', outcome: { kind: 'not_started', message: TAKEN } });
      return { stop: nothing, kill: nothing };
    }
    const attempt = new HttpAttempt({ spec, task, sink, clock: this.#services.clock });
    this.#active.add(attempt);
    void this.#run(attempt, report);
    return attempt;
  }

  /** Ends all that is under way: nobody waits for it any more. */
  close(): void {
    for (const attempt of this.#active) attempt.stop({ kind: 'cancelled', by: 'shutdown' });
  }

  async #run(attempt: HttpAttempt, report: (report: AttemptReport) => void): Promise<void> {
    const turn = this.#turns.take();
    const hasTurn = await Promise.race([turn.then(() => true), attempt.stopped.then(() => false)]);
    // When it comes, it is for the next.
    if (!hasTurn) void turn.then(() => this.#turns.done());
    const outcome = await attempt.run(() => report({ kind: 'started' }));
    if (hasTurn) this.#turns.done();
    this.#active.delete(attempt);
    report({ kind: 'ended', outcome });
  }

  #open(spec: AttemptSpec): Sink | undefined {
    const { output, outputs, onOutput } = this.#services;
    if (output === 'inherit') return new Sink(process.stdout, undefined);
    const path = `${attemptBase(this.#services, spec)}.log`;
    makeDirectory(dirname(path));
    let fd: number;
    try {
      fd = openSync(path, 'ax', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw error;
    }
    const { runId, jobId, attempt } = spec;
    const listen = (lines: readonly string[]): void => onOutput?.({ runId, jobId, attempt, lines });
    const watched = outputs.watch(path, spec.output, { listen, from: 'beginning' });
    return new Sink(createWriteStream('', { fd }), watched);
  }
}

/** Where the output of an attempt goes. A disk that does not take it is no reason to end the request. */
class Sink {
  readonly #stream: Writable;
  /** Absent: it is the daemon's own standard output, which others write to as well. */
  readonly #watched: WatchedOutput | undefined;
  readonly #onError = (): void => {
    this.#isBroken = true;
  };
  #isBroken = false;

  constructor(stream: Writable, watched: WatchedOutput | undefined) {
    this.#stream = stream;
    this.#watched = watched;
    stream.on('error', this.#onError);
  }

  /** Resolves when there is room for more. Never rejects. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#isBroken || bytes.length === 0 || this.#stream.write(bytes)) return;
    await once(this.#stream, 'drain').catch(nothing);
  }

  /** Resolves when all of it is where it belongs. Never rejects. */
  async finish(succeeded: boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#isBroken) return resolve();
      this.#stream.once('error', () => resolve());
      if (this.#watched === undefined) this.#stream.write('', () => resolve());
      else this.#stream.end(() => resolve());
    });
    if (this.#watched === undefined) this.#stream.off('error', this.#onError);
    await this.#watched?.finish(succeeded);
  }
}

interface AttemptParts {
  readonly spec: AttemptSpec;
  readonly task: HttpTask;
  readonly sink: Sink;
  readonly clock: ProcessServices['clock'];
}

class HttpAttempt implements AttemptHandle {
  readonly #parts: AttemptParts;
  readonly #aborter = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  #reason: StopReason | undefined;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  /** There is nobody to ask: the connection is cut. */
  stop(reason: StopReason): void {
    this.#reason ??= reason;
    this.#aborter.abort();
    this.#stopped.resolve();
  }

  /** Resolves when it was told to. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  kill(reason: StopReason): void {
    this.stop(reason);
  }

  /** Never rejects. */
  async run(started: () => void): Promise<Outcome> {
    if (this.#reason === undefined) started();
    const found = this.#reason === undefined ? await this.#ask() : undefined;
    const outcome = this.#reason === undefined ? found : outcomeOfStop(this.#reason);
    const final = outcome ?? { kind: 'lost', message: 'It came to nothing.' };
    await this.#parts.sink.finish(final.kind === 'succeeded');
    return final;
  }

  async #ask(): Promise<Outcome> {
    const { task, spec } = this.#parts;
    try {
      await this.#say(`${task.method} ${task.shownUrl}`);
      const answer = await exchange({
        task,
        about: aboutOf(spec),
        signal: this.#aborter.signal,
        onRedirect: (status, to) => void this.#say(`${status}, to ${this.#shown(to)}`),
      });
      return await this.#take(answer);
    } catch (error) {
      const message = this.#veiled(reasonOf(error));
      if (error instanceof NoAnswer && error.reached)
        return { kind: 'failed', hint: `no answer: ${message}` };
      return { kind: 'not_started', message: `The request could not be made: ${message}.` };
    }
  }

  async #take({ status, reason, type, body, refused }: Answer): Promise<Outcome> {
    const { task, clock } = this.#parts;
    const { location } = body.headers;
    const to = location === undefined ? null : URL.parse(location, task.url);
    await this.#say([`${status} ${reason}`.trim(), ...(type === undefined ? [] : [type])].join(', '));
    const text = await this.#read(body);
    if (text === undefined) return { kind: 'failed', status, hint: 'its answer broke off' };
    const isRedirect = status >= 300 && status < 400 && to !== null;
    const outcome = outcomeOfStatus(task, {
      status,
      refused,
      location: isRedirect ? this.#shown(to) : undefined,
    });
    if (outcome.kind !== 'succeeded' || task.bodyMatches === undefined) return outcome;
    const isMatch = await isFound(task.bodyMatches, text, { clock, patience: MATCHING });
    if (isMatch === true) return outcome;
    const hint = isMatch === false ? 'is not found in the body' : 'takes too long to be looked for';
    return { kind: 'failed', status, hint: `what expect.body_matches says ${hint}` };
  }

  /** Copies the body to the output, and gives what is to be looked at of it. Undefined: it broke off. */
  async #read(body: Answer['body']): Promise<string | undefined> {
    const { task, sink } = this.#parts;
    const veil = new Veil(task.secrets);
    const kept: Buffer[] = [];
    let room = task.bodyMatches === undefined ? 0 : MOST_MATCHED;
    let isWhole = true;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        if (room > 0) kept.push(chunk.subarray(0, room));
        room -= chunk.length;
        await sink.write(veil.push(chunk));
      }
    } catch {
      isWhole = false; // by the server, the network or a stop
    }
    await sink.write(veil.end());
    return isWhole ? Buffer.concat(kept).toString() : undefined;
  }

  /** A line of the output that is ours. */
  #say(line: string): Promise<void> {
    // A reason phrase may hold anything but a line break.
    return this.#parts.sink.write(Buffer.from(`[http] ${this.#veiled(line)}\n`));
  }

  /** Without what somebody may have put there for nobody else to see. */
  #shown({ origin, pathname, search }: URL): string {
    return this.#veiled(`${origin}${pathname}${search === '' ? '' : '?…'}`);
  }

  #veiled(text: string): string {
    return veiled(text, this.#parts.task.secrets);
  }
}

/** Whose request it is: the same run id, sent again, is the same run. ASCII alone, as headers are. */
function aboutOf(spec: AttemptSpec): Record<string, string> {
  const { runId, jobId, attempt, scheduledAt, cause, with: given } = spec;
  return {
    'tsched-job-id': jobId,
    'tsched-run-id': runId,
    'tsched-attempt': String(attempt),
    'tsched-scheduled-at': new Date(scheduledAt).toISOString(),
    'tsched-cause': cause,
    ...(given !== undefined && { 'tsched-with': inAscii(JSON.stringify(given)) }),
  };
}

function inAscii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function nothing(): void {
  // There is nothing to do.
}
