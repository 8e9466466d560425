/** Who a node is: a UUID beside its state, so that it is the same node after a restart, whatever it is called then. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The id that the file holds; made where there is none. What is no id (a disk was full) is written anew.
 * @throws Error with `code` when it can be neither read nor made
 */
export function nodeIdOf(file: string): string {
  const known = read(file);
  if (UUID.test(known)) return known;
  const id = randomUUID();
  writeFileSync(file, `${id}\n`, { mode: 0o600, flush: true });
  return id;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** The key of the session lock by which the database knows that a process of this node lives. Below zero, where no term is. */
export function sessionKeyOf(id: string): number {
  return -1 - (Number.parseInt(id.slice(0, 8), 16) >>> 1);
}
