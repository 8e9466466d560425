/** The commands that set things up around a daemon. */
import { Argument, type Command, fileOption, jsonOption, scopeOption, stateOption } from './options.ts';
import type { Seen } from './seen.ts';

export function addToken(program: Command, { session, end }: Seen): void {
  program
    .command('token')
    .argument('<action>', 'create, list or revoke')
    .argument('[name]', 'whom or what it is for')
    .description('tokens that open the API over TCP (start --listen)')
    .addOption(scopeOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A token is shown once, when it is made; only its hash is kept. A revoked one is refused within a second.

Examples:
  tsched token create grafana                      may look
  tsched token create deploy --scope admin         may do everything
  tsched token revoke deploy`,
    )
    .action(async (action, name, options) => {
      const { token } = await import('./token.ts');
      end(token({ action, name }, options, session));
    });
}

export function addNotify(program: Command, { session, end }: Seen): void {
  program
    .command('notify')
    .description('try out who is told: tsched notify test <notifier>')
    .command('test')
    .argument('<notifier>', 'one of those under notifiers:')
    .description('send a message that says it is a test; needs no daemon')
    .addOption(fileOption())
    .addHelpText('after', '\nExit codes: 0 it was told, 1 it was not, 64 no such notifier.')
    .action(async (notifier, options) => {
      const { notifyTest } = await import('./notify.ts');
      end(await notifyTest(notifier, options, session));
    });
}

export function addInstall(program: Command, { session }: Seen): void {
  program
    .command('install')
    .description('write a systemd unit that runs the daemon, and say what to run next')
    .option('--user', 'for systemctl --user, instead of the system')
    .option(
      '-f, --file <path>',
      'the job file (default: /etc/tsched/jobs.yaml; --user: ~/.config/tsched/jobs.yaml)',
    )
    .option('--run-as <user>', 'a user that exists; without it root, who can run jobs as others')
    .option('--dry-run', 'print the unit and write nothing')
    .option('--force', 'overwrite a unit that says something else')
    .addHelpText(
      'after',
      `
Changes of yours belong in a drop-in (systemctl edit tsched), which survives the next install.
So does what makes it a node of a cluster: examples/tsched.service.d/store.conf of the package, with the URL of --store in a file.

Examples:
  tsched install --dry-run
  sudo tsched install --file /srv/jobs.yaml --run-as deploy
  tsched install --user`,
    )
    .action(async (options) => {
      const { install } = await import('./install.ts');
      install(options, session);
    });
}

export function addCompletion(program: Command, { session, whole }: Seen): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']))
    .description('print what completes commands, options and job ids in your shell')
    .addHelpText(
      'after',
      `
Examples:
  echo 'source <(tsched completion bash)' >> ~/.bashrc
  echo 'source <(tsched completion zsh)' >> ~/.zshrc
  tsched completion fish > ~/.config/fish/completions/tsched.fish`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { completion } = await import('./completion.ts');
      completion(shell, session);
    });
  program
    .command('complete', { hidden: true })
    .argument('[word...]')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const { complete } = await import('./completion.ts');
      await complete(words, whole(), session);
    });
}
