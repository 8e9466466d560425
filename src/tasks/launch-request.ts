/** Writes a request in the words of the spawner's protocol; see spawner-script.ts. */
import type { LaunchRequest } from './launch.ts';

/**
 * Variables that a shell could not hand on unharmed, because it gives them a meaning of its own, makes them read-only, or has
 * no such names: env(1) sets these.
 */
const SHELLS_OWN =
  /^(?:BASH.*|COMP_.*|DIRSTACK|ENV|EPOCH.*|EUID|FUNC.*|GROUPS|HIST.*|HOST(?:NAME|TYPE)|IFS|LINENO|MACHTYPE|OLDPWD|OPT(?:ARG|ERR|IND)|OSTYPE|P?PID|PIPESTATUS|POSIXLY_CORRECT|PS\d|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_|ts_.*)$/v;
const SHELL_NAME = /^[A-Za-z_]\w*$/v;

/** What the nearly empty environment consists of. */
const BARE_ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** Why no process could be given this, whatever the system says; undefined when there is no such reason. */
export function unacceptable(request: LaunchRequest): string | undefined {
  const { argv, cwd, env, user, group } = request;
  const nul = (text: string | undefined): boolean => text?.includes('\0') === true;
  if (argv.length === 0 || argv[0] === '') return 'There is no command to run.';
  if (argv.some(nul)) return 'The command holds a NUL character, which no argument can hold.';
  if (nul(cwd)) return 'The working directory holds a NUL character, which no path can hold.';
  for (const [name, value] of Object.entries(env)) {
    if (name === '' || /[=\0]/v.test(name) || nul(value))
      return `The environment variable ${JSON.stringify(name)} cannot be set: no name can be empty or hold "=", and neither name nor value a NUL character.`;
  }
  for (const name of [user, group]) {
    if (name !== undefined && !/^[\w.@$\\][\w.@$\\\-]*$/v.test(name))
      return `There is no user or group ${JSON.stringify(name)}.`;
  }
  if ((user !== undefined || group !== undefined) && process.geteuid?.() !== 0)
    return `Only a tsched run by root can start a process as another user or group (${[user, group].filter(Boolean).join(', ')}).`;
  return undefined;
}

/** The request as lines for the spawner. */
export function encodeRequest(id: number, request: LaunchRequest): string {
  const { exitPath, outputPath, nice } = request;
  const { exported, wrapper } = environmentOf(request);
  const user = request.user ?? (request.group === undefined ? '-' : 'root');
  const wrapped = wrapper.length > 0 || user !== '-' || nice !== undefined;
  const words = [
    id,
    exported.length,
    wrapper.length,
    request.argv.length,
    wrapped ? 'wrapped' : '-',
    request.umask?.toString(8).padStart(3, '0') ?? '-',
    nice ?? '-',
    user,
    request.group ?? '-',
    limitsOf(request),
  ];
  const base = exitPath.replace(/\.exit$/v, '');
  const log =
    outputPath?.startsWith(`${base}.`) === true && exitPath !== base
      ? outputPath.slice(base.length)
      : outputPath;
  const texts = [
    request.cwd,
    exitPath,
    log ?? '',
    request.stdinPath ?? '/dev/null',
    ...exported,
    ...wrapper,
    ...request.argv,
  ];
  return `${words.join(' ')}\n${texts.map(encodeText).join('')}`;
}

function encodeText(text: string): string {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  return `${lines.map((line) => `+${line}\n`).join('')} ${last}\n`;
}

function environmentOf({ env, inheritEnv }: LaunchRequest): { exported: string[]; wrapper: string[] } {
  const assign = ([name, value]: readonly [string, string]): string => `${name}=${value}`;
  const entries = Object.entries(env);
  if (!inheritEnv) {
    // The user's own are known only to the shell; they are named here so that env(1) does not drop them.
    return {
      exported: [],
      wrapper: ['env', '-i', ...Object.entries({ ...BARE_ENVIRONMENT, ...env }).map(assign)],
    };
  }
  const plain = entries.filter(([name]) => SHELL_NAME.test(name) && !SHELLS_OWN.test(name));
  const odd = entries.filter(([name]) => !SHELL_NAME.test(name) || SHELLS_OWN.test(name));
  return { exported: plain.map(assign), wrapper: odd.length === 0 ? [] : ['env', ...odd.map(assign)] };
}

function limitsOf({ limits }: LaunchRequest): string {
  const set = Object.entries(limits).filter((entry) => entry[1] !== undefined);
  return set.length === 0 ? '-' : set.map(([name, value]) => `${name}=${value},`).join('');
}
