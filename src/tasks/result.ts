/** The result of a shell line or a program: what it writes to the file that TSCHED_RESULT names, as a module returns one. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { AttemptSpec } from '../engine/ports.ts';
import type { Json, Outcome } from '../model.ts';
import { resultLimit } from './module-outcome.ts';

/** What the run gets beside its environment. Another user could not write into the daemon's directory. */
export function resultVariables({ surroundings }: AttemptSpec, base: string): Record<string, string> {
  const { user, group } = surroundings;
  return user === undefined && group === undefined ? { TSCHED_RESULT: pathOf(base) } : {};
}

/** The outcome with the result that was written, if there is one. */
export function withResult(outcome: Outcome, base: string): Outcome {
  if (outcome.kind !== 'succeeded') return outcome;
  const read = readResult(pathOf(base));
  if (read === undefined) return outcome;
  return 'hint' in read ? { ...outcome, hint: read.hint } : { ...outcome, result: read.result };
}

function pathOf(base: string): string {
  return `${base}.result`;
}

/** Undefined when nothing was written. What stands there may be anything the task made: a link, a pipe, a directory. */
function readResult(path: string): { readonly result: Json } | { readonly hint: string } | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : { hint: `its result cannot be read: ${message}` };
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return { hint: 'its result is not a file' };
    if (stat.size === 0) return undefined;
    if (stat.size > resultLimit) return tooLong(stat.size);
    const bytes = Buffer.alloc(stat.size);
    return parse(bytes.toString('utf8', 0, readSync(file, bytes)));
  } catch (error) {
    return { hint: `its result cannot be read: ${(error as Error).message}` };
  } finally {
    closeSync(file);
  }
}

/** JSON where it is JSON, else the text without the end of its last line. */
function parse(text: string): { readonly result: Json } | { readonly hint: string } {
  let result: Json;
  try {
    result = JSON.parse(text) as Json;
  } catch {
    return { result: text.replace(/\r?\n$/v, '') };
  }
  // Written anew, numbers such as 1e20 take more room.
  const size = Buffer.byteLength(JSON.stringify(result));
  return size > resultLimit ? tooLong(size) : { result };
}

function tooLong(size: number): { readonly hint: string } {
  return {
    hint: `its result of ${size} bytes was not kept: at most ${resultLimit} are; write a file, and its name as the result`,
  };
}
