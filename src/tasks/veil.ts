/**
 * Takes secrets out of what passes by: of an answer that repeats what it was asked with. What of a secret is cut in two by the
 * pieces in which bytes come is found too.
 */
export class Veil {
  readonly #secrets: readonly string[];
  /** Bytes at the end of a piece that may be the beginning of a secret. */
  readonly #held: number;
  #rest = '';

  /** @param secrets the longest first */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.map((secret) => Buffer.from(secret).toString('latin1'));
    this.#held = Math.max(0, ...this.#secrets.map(({ length }) => length - 1));
  }

  /** What of all that came so far can be shown now. */
  push(bytes: Buffer): Buffer {
    if (this.#secrets.length === 0) return bytes;
    const clean = this.#without(this.#rest + bytes.toString('latin1'));
    const end = Math.max(0, clean.length - this.#held);
    this.#rest = clean.slice(end);
    return Buffer.from(clean.slice(0, end), 'latin1');
  }

  /** The rest: no more will come. */
  end(): Buffer {
    const rest = Buffer.from(this.#rest, 'latin1');
    this.#rest = '';
    return rest;
  }

  #without(text: string): string {
    return this.#secrets.reduce((clean, secret) => clean.replaceAll(secret, MASK), text);
  }
}

const MASK = '***';

/** The text without any of the secrets, of which the longest come first. */
export function veiled(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, MASK), text);
}
