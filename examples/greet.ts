import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskContext } from 'tsched';

interface Options {
  readonly names: readonly string[];
  readonly shout: boolean;
}

/** Greets everybody in turn. What it returns is kept as the result of the run. */
export default async function greet({ with: options, attempt, signal, log, progress }: TaskContext<Options>) {
  for (const [index, name] of options.names.entries()) {
    const greeting = `Hello, ${name}!`;
    log.info(options.shout ? greeting.toUpperCase() : greeting, { attempt });
    progress((index + 1) / options.names.length);
    await sleep(100, undefined, { signal }); // ends early when the run is to stop
  }
  return { greeted: options.names.length };
}
