import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { OutputElsewhere, type OutputFiles } from '../engine/ports-output.ts';
import type { RunRecord } from '../model.ts';
import { directoryOf, shardId } from '../shard.ts';

type Told = Pick<RunRecord, 'id' | 'attempts' | 'shards'>;

/** The end of what a run's last attempt printed, or that of the first of its parts that failed, at most so many bytes; empty when it is gone. Never rejects. */
export function lastOutput(runsDirectory: string, run: Told, bytes: number): Promise<Buffer> {
  const { id, attempt } = toldOf(run);
  return endOfFile(join(runsDirectory, directoryOf(id), `attempt-${attempt}.log`), bytes);
}

/** The same of a run whose output may be on another node; a line that says so when that cannot be asked. */
export async function lastOutputOf(outputs: OutputFiles, run: Told, bytes: number): Promise<Buffer> {
  const { id, attempt } = toldOf(run);
  try {
    const output = await outputs.open(id, attempt);
    if (output === undefined) return Buffer.alloc(0);
    try {
      const pieces: Uint8Array[] = [];
      for await (const piece of output.read(Math.max(output.size - bytes, 0), output.size))
        pieces.push(piece);
      return Buffer.concat(pieces);
    } finally {
      await output.close();
    }
  } catch (error) {
    if (error instanceof OutputElsewhere) return Buffer.from(`… ${error.message}\n`);
    throw error;
  }
}

/** Whose output tells most of how a run ended. */
function toldOf({ id, attempts, shards }: Told): { readonly id: string; readonly attempt: number } {
  const told = shards?.find(({ outcome }) => outcome?.kind !== 'succeeded') ?? shards?.[0];
  return {
    id: told === undefined ? id : shardId(id, told.index),
    attempt: (told?.attempts ?? attempts).at(-1)?.number ?? 1,
  };
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
