import { hash } from 'node:crypto';
import type { AttemptSpec } from '../engine/ports.ts';

/** Our own namespace of names: drawn once, and never to change, since two versions of tsched may share a database. */
const ATTEMPTS = Buffer.from('4b0f0577c0a9572cb49bd73744677f53', 'hex');

/**
 * The id of an attempt's row in the queue, a UUIDv5 of what it is for: whoever hands it to the queue, and however often, there is
 * one row. Of a slot's run that is (job id, scheduled time, attempt), so that not even two claims of a slot, made by nodes that know
 * nothing of each other, could run it twice; of runs by hand and of replays, which may repeat a slot, and of parts, which share one, it is
 * (run id, attempt).
 */
export function attemptId(
  spec: Pick<AttemptSpec, 'forSlot' | 'jobId' | 'scheduledAt' | 'runId' | 'attempt'>,
): string {
  const { jobId, scheduledAt, runId, attempt } = spec;
  const name = spec.forSlot === true ? ['slot', jobId, scheduledAt, attempt] : ['run', runId, attempt];
  // JSON, so that no two names look alike, whatever a job is called.
  return uuidV5(ATTEMPTS, JSON.stringify(name));
}

/** RFC 9562, section 5.5: the first 16 bytes of the SHA-1 of namespace and name, marked as version 5 of variant 10. */
export function uuidV5(namespace: Uint8Array, name: string): string {
  const digest = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'buffer');
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const text = digest.toString('hex');
  return [
    text.slice(0, 8),
    text.slice(8, 12),
    text.slice(12, 16),
    text.slice(16, 20),
    text.slice(20, 32),
  ].join('-');
}
