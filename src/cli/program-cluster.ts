/** The commands for a cluster of daemons. */
import { Argument, clientOptions, jsonOption, type Command } from './options.ts';
import type { Seen } from './seen.ts';

export function addNodes(program: Command, { session, end }: Seen): void {
  const command = program
    .command('nodes')
    .addArgument(
      new Argument('[action]', 'drain: take nothing new; resume: take again').choices(['drain', 'resume']),
    )
    .argument('[node]', 'the node it is about')
    .description('the nodes of a cluster: who conducts, what each has, whose clock or file is another');
  for (const option of clientOptions()) command.addOption(option);
  command
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Any node tells of all of them. A drained node finishes what it has; it stays drained over restarts, and it may conduct.
A node that was not heard of for 15 s is silent: what it had is lost, and tried again elsewhere where its job says so.
Exit codes: 1 this daemon is alone, 64 no such node, 69 no daemon is running, or its database is away, 77 it is not allowed.

Examples:
  tsched nodes
  tsched nodes drain web-2 && ssh web-2 reboot`,
    )
    .action(async (action, node, options) => {
      const { nodes } = await import('./nodes.ts');
      end(await nodes({ action, node }, options, session));
    });
}
