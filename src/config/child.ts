/**
 * Entry of the short-lived process that reads a job file for a daemon: the request comes as JSON on standard input,
 * the result leaves as lines on standard output. Memory and garbage of the reading die with it.
 */
import { readFileSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { readJobFile, type LoadOptions } from './job-file.ts';
import { pack } from './pack.ts';

export interface Request {
  readonly path: string;
  readonly options: LoadOptions;
}

// Jobs due meanwhile come first.
setPriority(10);

const { path, options } = JSON.parse(readFileSync(0, 'utf8')) as Request;
for (const line of pack(await readJobFile(path, options))) write(Buffer.from(line));

/** Standard output may be a pipe that is full for a while. */
function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
