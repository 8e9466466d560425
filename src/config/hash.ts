/** Computed when first asked for: the command line never asks, and loading the hash functions alone takes it 5 ms. */
export function once<T>(compute: () => T): () => T {
  let value: { readonly of: T } | undefined;
  return () => (value ??= { of: compute() }).of;
}

/** Of the content of files, in the order they were read. */
export function hashOf(content: readonly [path: string, bytes: Buffer | undefined][]): string {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const [path, bytes] of content) {
    hash.update(`${path}\0${bytes?.length ?? 'missing'}\0`);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest('hex');
}
