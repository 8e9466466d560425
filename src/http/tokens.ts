/**
 * The tokens that open the API over TCP. Only their hashes are kept: who reads the file can open nothing. A token is 256 random
 * bits, so one round of SHA-256 is enough; slow hashes are for what people think up.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { Clock } from '../engine/ports.ts';
import type { Duration, Instant } from '../model.ts';

export const TOKEN_SCOPES = ['read', 'run', 'admin'] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

export interface Token {
  readonly name: string;
  readonly scope: TokenScope;
  /** SHA-256 of the token, in hex. */
  readonly hash: string;
  readonly createdAt: Instant;
}

/** The file cannot be read as one of ours, or is being changed by another process. */
export class TokenTrouble extends Error {
  override readonly name = 'TokenTrouble';
}

/** Between two looks at the file: so long a token may still work after it was revoked. */
const FRESH: Duration = 1000;
/** The same for one that is not known: whoever guesses has the file read no more often. */
const AGAIN: Duration = 50;
/** A change takes milliseconds; what is older was left by one that died. */
const STALE: Duration = 10_000;
/** So long others are waited for that change the file too, and so long between two tries. */
const PATIENCE: Duration = 2000;
const TRY: Duration = 10;

/** @throws TokenTrouble */
export function readTokens(path: string): readonly Token[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new TokenTrouble(`${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    const { tokens } = JSON.parse(text) as { readonly tokens: readonly Token[] };
    if (tokens.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))) return tokens;
  } catch {
    // Told below.
  }
  throw new TokenTrouble(`${path} is damaged: remove it, and make new tokens`);
}

/** Makes a token. It is told once, here, and nowhere kept. */
export function createToken(
  path: string,
  { name, scope, now }: { readonly name: string; readonly scope: TokenScope; readonly now: Instant },
): string {
  const secret = `tsched_${randomBytes(32).toString('base64url')}`;
  change(path, now, (tokens) => {
    if (tokens.some((token) => token.name === name))
      throw new TokenTrouble(`there is a token "${name}" already`);
    return [...tokens, { name, scope, hash: hashOf(secret).toString('hex'), createdAt: now }];
  });
  return secret;
}

/** False: there is no such token. */
export function revokeToken(path: string, name: string, now: Instant): boolean {
  let found = false;
  change(path, now, (tokens) => {
    const rest = tokens.filter((token) => token.name !== name);
    found = rest.length < tokens.length;
    return rest;
  });
  return found;
}

/** The new file is the lock too: who cannot make it is not alone. */
function change(path: string, now: Instant, edit: (tokens: readonly Token[]) => readonly Token[]): void {
  const next = `${path}.new`;
  const left = statSync(next, { throwIfNoEntry: false });
  if (left !== undefined && now - left.mtimeMs > STALE) rmSync(next, { force: true });
  const file = lock(next);
  try {
    writeSync(file, `${JSON.stringify({ tokens: edit(readTokens(path)) }, undefined, 2)}\n`);
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Blocks while it waits: only commands change tokens. Gives the descriptor of the file, which is new and empty. */
function lock(path: string): number {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; ; waited += TRY) {
    try {
      return openSync(path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (waited >= PATIENCE) throw new TokenTrouble('another tsched is changing the tokens; try again');
      Atomics.wait(sleeper, 0, 0, TRY);
    }
  }
}

/** Tells whose a token is. */
export class TokenBook {
  readonly #path: string;
  readonly #clock: Clock;
  #tokens: readonly Token[] = [];
  #readAt: Duration | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  find(secret: string): Token | undefined {
    const hash = hashOf(secret);
    // One that was made just now is no mistake.
    return matching(this.#since(FRESH), hash) ?? matching(this.#since(AGAIN), hash);
  }

  /** As they were no longer ago than this. */
  #since(age: Duration): readonly Token[] {
    const now = this.#clock.monotonic();
    if (this.#readAt !== undefined && now - this.#readAt < age) return this.#tokens;
    this.#readAt = now;
    try {
      this.#tokens = readTokens(this.#path);
    } catch {
      this.#tokens = []; // nobody is let in by a file that cannot be read
    }
    return this.#tokens;
  }
}

/** Looks at every token, whether or not one has matched: how long it takes tells nothing. */
function matching(tokens: readonly Token[], hash: Buffer): Token | undefined {
  let found: Token | undefined;
  for (const token of tokens) {
    if (timingSafeEqual(hash, Buffer.from(token.hash, 'hex'))) found = token;
  }
  return found;
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
