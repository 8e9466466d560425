import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '../model.ts';

/** The end of what a run's last attempt printed, at most so many bytes; empty when it is gone. Never rejects. */
export function lastOutput(
  runsDirectory: string,
  { id, attempts }: Pick<RunRecord, 'id' | 'attempts'>,
  bytes: number,
): Promise<Buffer> {
  return endOfFile(join(runsDirectory, id, `attempt-${attempts.at(-1)?.number ?? 1}.log`), bytes);
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
