import type { Posting } from '../engine/ports.ts';
import type { Message, Told } from '../message.ts';
import type { JobId } from '../model.ts';

/** What is to be told, and what was, in memory: what a store that cannot write, or never does, goes by. */
export class Outbox {
  readonly #messages = new Map<string, Message>();
  readonly #told: Map<JobId, Told>;

  constructor(messages: Iterable<Message> = [], told: Iterable<readonly [JobId, Told]> = []) {
    for (const message of messages) this.#messages.set(message.id, message);
    this.#told = new Map(told);
  }

  post({ messages, told }: Posting): void {
    for (const message of messages) this.#messages.set(message.id, message);
    for (const [jobId, known] of told) {
      if (known === null) this.#told.delete(jobId);
      else this.#told.set(jobId, known);
    }
  }

  settle(ids: readonly string[]): void {
    for (const id of ids) this.#messages.delete(id);
  }

  /** Oldest first. */
  messages(): readonly Message[] {
    return [...this.#messages.values()];
  }

  told(): ReadonlyMap<JobId, Told> {
    return new Map(this.#told);
  }
}
