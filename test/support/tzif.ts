/** Time zone files made up for a test. */

export interface ZoneFile {
  /** The rule after the last change, as in the TZ variable of POSIX. */
  readonly footer: string;
  /** Offset before the first change: 0. Both in milliseconds. */
  readonly changes?: readonly { readonly at: number; readonly offset: number }[];
}

/** A TZif file of version 2 (RFC 9636), its part for old readers empty but for the one type it must have. */
export function tzif({ footer, changes = [] }: ZoneFile): Uint8Array {
  const types = [0, ...changes.map(({ offset }) => offset)];
  const body = Buffer.alloc(changes.length * 9 + types.length * 6 + 4);
  changes.forEach(({ at }, n) => {
    body.writeBigInt64BE(BigInt(at / 1000), n * 8);
    body.writeUInt8(n + 1, changes.length * 8 + n);
  });
  types.forEach((offset, n) => body.writeInt32BE(offset / 1000, changes.length * 9 + n * 6));
  body.write('XXX\0', body.length - 4);
  const old = [header(0, 1), Buffer.alloc(6), Buffer.from('XXX\0')];
  return Buffer.concat([...old, header(changes.length, types.length), body, Buffer.from(`\n${footer}\n`)]);
}

function header(changes: number, types: number): Buffer {
  const bytes = Buffer.alloc(44);
  bytes.write('TZif2');
  bytes.writeUInt32BE(changes, 32);
  bytes.writeUInt32BE(types, 36);
  bytes.writeUInt32BE(4, 40);
  return bytes;
}
