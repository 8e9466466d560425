/** Writes a request in the words of the spawner's protocol; see spawner-script.ts and spawner-perl.ts. */
import type { LaunchRequest } from './launch.ts';

/**
 * Variables that a shell could not hand on unharmed, because it gives them a meaning of its own, makes them read-only, or has
 * no such names: env(1) sets these.
 */
const SHELLS_OWN =
  /^(?:BASH.*|COMP_.*|DIRSTACK|ENV|EXECIGNORE|EPOCH.*|EUID|FUNC.*|GROUPS|HIST.*|HOST(?:NAME|TYPE)|IFS|LINENO|MACHTYPE|OLDPWD|OPT(?:ARG|ERR|IND)|OSTYPE|P?PID|PIPESTATUS|POSIXLY_CORRECT|PS\d|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|TMOUT|UID|_|ts_.*)$/v;
const SHELL_NAME = /^[A-Za-z_]\w*$/v;

/** The PATH of the nearly empty environment. */
export const BARE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Linux's MAX_ARG_STRLEN without the NUL. */
const LONGEST_ARGUMENT = 131_071;

/** Why no process could be given this, whatever the system says; undefined when there is no such reason. */
export function unacceptable(request: LaunchRequest): string | undefined {
  const { argv, cwd, env, user, group } = request;
  const [program = ''] = argv;
  if (program === '') return 'There is no command to run.';
  if (program.includes('='))
    return `The command ${program} cannot be told from an assignment; write it as a shell line, with "run:".`;
  const longest = Math.max(...argv.map((each) => Buffer.byteLength(each)));
  if (longest > LONGEST_ARGUMENT)
    return `An argument of the command is too long: ${longest} bytes, where the system takes ${LONGEST_ARGUMENT}.`;
  if (argv.some(holdsNul)) return 'The command holds a NUL character, which no argument can hold.';
  if (holdsNul(cwd)) return 'The working directory holds a NUL character, which no path can hold.';
  for (const [name, value] of Object.entries(env)) {
    if (Buffer.byteLength(name) + 1 + Buffer.byteLength(value) > LONGEST_ARGUMENT)
      return `The environment variable ${name.slice(0, 100)} is too long: the system takes ${LONGEST_ARGUMENT} bytes of name and value.`;
    if (name === '' || /[=\0]/v.test(name) || holdsNul(value))
      return `The environment variable ${JSON.stringify(name)} cannot be set: no name can be empty or hold "=", and neither name nor value a NUL character.`;
  }
  return unacceptableUser([user, group].filter((name) => name !== undefined));
}

function unacceptableUser(names: readonly string[]): string | undefined {
  const odd = names.find((name) => !/^[\w.@$\\][\w.@$\\\-]*$/v.test(name));
  if (odd !== undefined) return `There is no user or group ${JSON.stringify(odd)}.`;
  if (names.length > 0 && process.geteuid?.() !== 0)
    return `Only a tsched run by root can start a process as another user or group (${names.join(', ')}).`;
  return undefined;
}

function holdsNul(text: string): boolean {
  return text.includes('\0');
}

/** The request as lines for a shell that is the spawner. */
export function encodeLines(id: number, request: LaunchRequest): string {
  const { exitPath, outputPath } = request;
  const { exported, assigned } = environmentOf(request);
  const words = [
    id,
    exported.length,
    assigned.length,
    request.argv.length,
    wrappingOf(request, assigned.length),
    ...identityOf(request),
    limitsOf(request) || '-',
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
    ...assigned,
    ...request.argv,
  ];
  return `${words.join(' ')}\n${texts.map(encodeText).join('')}`;
}

/** The request as texts for a perl that is the spawner, the number of them first. */
export function encodeTexts(id: number, request: LaunchRequest): readonly (string | number)[] {
  const { inheritEnv, user, group, nice, argv } = request;
  const wrapped = [user, group, nice].some((each) => each !== undefined);
  const { exported, assigned } = wrapped
    ? environmentOf(request)
    : { exported: allOf(request), assigned: [] };
  const mode = wrapped ? wrappingOf(request, assigned.length) : inheritEnv ? '-' : 'bare';
  const texts = [
    id,
    wrapped ? 1 : 0,
    mode,
    ...identityOf(request),
    limitsOf(request),
    request.cwd,
    request.exitPath,
    request.outputPath ?? '',
    request.stdinPath ?? '/dev/null',
    exported.length,
    ...exported,
    ...(wrapped ? [assigned.length] : []),
    ...assigned,
    ...argv,
  ];
  return [texts.length, ...texts];
}

/** With "-" for what the request leaves open. */
function identityOf(request: LaunchRequest): readonly (string | number)[] {
  const user = request.user ?? (request.group === undefined ? '-' : 'root');
  return [
    request.umask?.toString(8).padStart(3, '0') ?? '-',
    request.nice ?? '-',
    user,
    request.group ?? '-',
  ];
}

function encodeText(text: string): string {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  return `${lines.map((line) => `+${line}\n`).join('')} ${last}\n`;
}

/** The whole environment, or what is added to the inherited one. */
function allOf({ env, inheritEnv }: LaunchRequest): string[] {
  return Object.entries(inheritEnv ? env : { PATH: BARE_PATH, ...env }).map(assignment);
}

function assignment([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}

/** What the shell exports, and what env(1) has to set because a shell could not. */
function environmentOf({ env, inheritEnv, user, group }: LaunchRequest): {
  exported: string[];
  assigned: string[];
} {
  if (!inheritEnv) {
    const all = { PATH: BARE_PATH, ...env };
    return { exported: [`PATH=${all.PATH}`], assigned: Object.entries(all).map(assignment) };
  }
  // Not before the user is taken on: root must not load what an LD_PRELOAD of the job names.
  const asItself = user === undefined && group === undefined;
  const { plain = [], odd = [] } = Object.groupBy(Object.entries(env), ([name]) =>
    name === 'PATH' || (asItself && SHELL_NAME.test(name) && !SHELLS_OWN.test(name)) ? 'plain' : 'odd',
  );
  return { exported: plain.map(assignment), assigned: odd.map(assignment) };
}

function wrappingOf(request: LaunchRequest, assigned: number): string {
  if (!request.inheritEnv) return 'bare';
  if (assigned > 0) return 'env';
  const { user, group, nice } = request;
  return [user, group, nice].every((each) => each === undefined) ? '-' : 'wrapped';
}

function limitsOf({ limits }: LaunchRequest): string {
  const set = Object.entries(limits).filter((entry) => entry[1] !== undefined);
  return set.map(([name, value]) => `${name}=${value},`).join('');
}
