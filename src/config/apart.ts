/** Loading in a short-lived process of its own, so that a large file costs the daemon neither time nor garbage. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Request } from './child.ts';
import { readJobFile, type LoadOptions, type LoadResult } from './job-file.ts';
import { Unpacker } from './pack.ts';

/** Heap of the child, in MiB: enough for 32 MiB of the most elaborate YAML. */
const HEAP = 4096;
const TIMEOUT = 120_000;

export interface ApartOptions {
  /** Ends the loading; the result then says so. */
  readonly signal?: AbortSignal;
  /** Heap of the child, in MiB. Default 4096. */
  readonly heap?: number;
  /** Milliseconds until a child is given up. Default two minutes. */
  readonly timeout?: number;
}

/** How the child ended. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

/** Files shorter than this are read in place: a few milliseconds, less than starting a process. */
const SMALL = 32 * 1024;

/** A generator with a mistake makes as many errors as jobs: so many cross at most, and nobody reads more. */
export const MOST_DIAGNOSTICS = 500;

/**
 * Loads a job file as a daemon needs it: small files in place, others in a short-lived process whose result arrives in
 * pieces, so that the loop is never held up for long. Never rejects: a process that fails is a diagnostic.
 */
export async function loadJobFileApart(
  path: string,
  options: LoadOptions & ApartOptions,
): Promise<LoadResult> {
  const given = options.text === undefined ? options.documents?.map(({ text }) => text) : [options.text];
  if (given === undefined ? isSmall(path) : lengthOf(given) < SMALL) return readJobFile(path, options);
  return loadInChild(path, { maxDiagnostics: MOST_DIAGNOSTICS, ...options }, options);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}

/** Short, and without includes, which may be of any size. */
function isSmall(path: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(SMALL);
    const length = readSync(descriptor, buffer, 0, SMALL, 0);
    return length < SMALL && isShort(buffer.toString('utf8', 0, length));
  } catch {
    return true; // reading it says what is wrong
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function isShort(text: string): boolean {
  return text.length < SMALL && !/^["']?include["']?\s*:/m.test(text);
}

/** Loads in a child. Never rejects: a child that dies, hangs or is called off is a diagnostic. */
export async function loadInChild(
  path: string,
  options: LoadOptions,
  apart: ApartOptions = {},
): Promise<LoadResult> {
  const unpacker = new Unpacker();
  const child = start(apart);
  let garbled = false;
  let rest = '';
  const { stdout } = child;
  stdout?.setEncoding('utf8');
  stdout?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      try {
        unpacker.take(line);
      } catch {
        garbled = true; // judged when the child has ended
      }
    }
    // libuv would read up to 32 times in one turn of the loop: take one piece a turn.
    stdout.pause();
    setImmediate(() => stdout.resume());
  });
  // A child that dies at once breaks the pipe; its end says why.
  child.stdin?.on('error', () => {
    garbled = true;
  });
  const request: Request = { path, options: plain(options) };
  child.stdin?.end(JSON.stringify(request));
  const end = await ended(child);
  if (unpacker.result !== undefined && !garbled && end.code === 0) return unpacker.result;
  return failure(path, wordsFor(end, apart));
}

function start({ signal, heap = HEAP, timeout = TIMEOUT }: ApartOptions): ChildProcess {
  const args = [`--max-old-space-size=${heap}`, '--max-semi-space-size=64', entry()];
  return spawn(process.execPath, args, {
    // Nothing of the daemon's environment: neither NODE_OPTIONS nor secrets. What `${NAME}` needs is in the request.
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The child's program: beside this file as a source, or built into dist/, wherever this chunk of it lies. */
function entry(): string {
  const candidates = ['./child.ts', './config-child.js', '../config-child.js'];
  const here = import.meta.url.endsWith('.ts') ? candidates : candidates.slice(1);
  const paths = here.map((candidate) => fileURLToPath(new URL(candidate, import.meta.url)));
  return paths.find((candidate) => existsSync(candidate)) ?? paths[0] ?? '';
}

function ended(child: ChildProcess): Promise<End> {
  return new Promise((settle) => {
    let error: Error | undefined;
    child.once('error', (reason) => {
      error = reason;
      if (child.pid === undefined) settle({ code: null, signal: null, error: reason });
    });
    child.once('close', (code, signal) =>
      settle({ code, signal, ...(error === undefined ? {} : { error }) }),
    );
  });
}

function wordsFor(
  { code, signal, error }: End,
  { heap = HEAP, timeout = TIMEOUT, signal: abort }: ApartOptions,
): string {
  if (abort?.aborted === true) return 'loading was called off';
  if (error !== undefined) return `no process could be started to read it: ${error.message}`;
  if (signal === 'SIGABRT' || code === 134) return `reading it took more than ${heap} MiB of memory`;
  if (signal === 'SIGKILL') return `reading it was ended from outside, or took more than ${timeout / 1000} s`;
  return `the process that read it ended early (${signal ?? `exit code ${code}`})`;
}

function failure(path: string, message: string): LoadResult {
  const error = { severity: 'error', file: path, line: 1, column: 1, length: 0, path: '', message } as const;
  return {
    ok: false,
    errors: [error],
    warnings: [],
    sources: [],
    watched: [resolve(path)],
    stamps: {},
    texts: new Map(),
    incomplete: true,
    missing: false,
  };
}

/** Only what JSON can carry. */
function plain({
  environment,
  hostTimezone,
  now,
  uid,
  maxFileSize,
  maxJobs,
  maxDiagnostics,
  text,
  documents,
  notifiers,
  tests,
  pools,
  jobs,
}: LoadOptions): LoadOptions {
  return {
    environment,
    hostTimezone,
    now,
    ...(text === undefined ? {} : { text }),
    ...(documents === undefined ? {} : { documents }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(notifiers === undefined ? {} : { notifiers }),
    ...(tests === undefined ? {} : { tests }),
    ...(pools === undefined ? {} : { pools }),
    ...(uid === undefined ? {} : { uid }),
    ...(maxFileSize === undefined ? {} : { maxFileSize }),
    ...(maxJobs === undefined ? {} : { maxJobs }),
    ...(maxDiagnostics === undefined ? {} : { maxDiagnostics }),
  };
}
