import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskContext } from 'tsched';

interface Options {
  readonly names: readonly string[];
  readonly shout: boolean;
}

/** Greets everybody in turn. What it returns is kept as the result of the run. */
export default async function greet(context: TaskContext<Options>) {
  const { names, shout } = context.with;
  for (const [index, name] of names.entries()) {
    const greeting = `Hello, ${name}!`;
    context.log.info(shout ? greeting.toUpperCase() : greeting);
    context.progress((index + 1) / names.length);
    await sleep(100, undefined, { signal: context.signal }); // ends early when the run is to stop
  }
  return { greeted: names.length };
}
