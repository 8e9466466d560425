import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '../model.ts';
import { directoryOf, shardId } from '../shard.ts';

/** The end of what a run's last attempt printed, or that of the first of its parts that failed, at most so many bytes; empty when it is gone. Never rejects. */
export function lastOutput(
  runsDirectory: string,
  { id, attempts, shards }: Pick<RunRecord, 'id' | 'attempts' | 'shards'>,
  bytes: number,
): Promise<Buffer> {
  const told = shards?.find(({ outcome }) => outcome?.kind !== 'succeeded') ?? shards?.[0];
  const directory = directoryOf(told === undefined ? id : shardId(id, told.index));
  const number = (told?.attempts ?? attempts).at(-1)?.number ?? 1;
  return endOfFile(join(runsDirectory, directory, `attempt-${number}.log`), bytes);
}

/** The last bytes of a file; none where there is no such file. Never rejects. */
export async function endOfFile(path: string, bytes: number): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, bytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return Buffer.alloc(0); // it was removed meanwhile, or never written
  }
}
