/** Says why a process did not start, in words that name the real cause. */
import { open, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import type { LaunchRequest } from './launch.ts';
import { BARE_PATH } from './launch-request.ts';

/**
 * The message for a step that failed, as the spawner reports it: its name, and for some the shell's status or the system's words.
 * `inheritedPath` is the PATH that processes inherit.
 * Looks at the file system again, since shells say less than errno.
 */
export async function explainLaunchProblem(
  request: LaunchRequest,
  [step = '', ...detail]: readonly string[],
  inheritedPath?: string,
): Promise<string> {
  const user = request.user === undefined ? '' : ` as user ${request.user}`;
  switch (step) {
    case 'fork':
      return "The system refused another process: the limit of processes (ulimit -u, a cgroup's pids.max) or of memory is reached.";
    case 'fenced':
      return 'Another daemon took this over before it was started.';
    case 'record':
      return `The exit record ${request.exitPath} cannot be made: the disk may be full, or its directory gone.`;
    case 'cwd':
      return (
        (await directoryProblem(request.cwd)) ??
        `The working directory ${request.cwd} cannot be entered${user}.`
      );
    case 'output':
      return `The output file ${request.outputPath} cannot be opened: the disk may be full, or the limit of open files reached.`;
    case 'stdin':
      return `The file for standard input ${request.stdinPath} cannot be opened.`;
    case 'limits':
      return `The limits ${JSON.stringify(request.limits)} cannot be set: a limit can be raised only by root, up to the system's maximum.`;
    case 'user':
      return `There is no user ${JSON.stringify(request.user)} on this machine.`;
    case 'group':
      return `There is no group ${JSON.stringify(request.group)} on this machine.`;
    case 'setpriv':
      return 'To run a job as another user, tsched needs the program setpriv (util-linux), which is not in the PATH.';
    case 'wrapper':
      return `The process could not change its user, environment or priority${user}; its output may say why.`;
    case 'command':
    case 'exec':
      return (
        (await commandProblem(request, inheritedPath)) ??
        `The command ${JSON.stringify(request.argv[0])} cannot be executed${user}${inBrackets(detail)}; its output may say why.`
      );
    default:
      return `The process could not be started (${step}).`;
  }
}

/** A shell's status, or words of the system. */
function inBrackets(detail: readonly string[]): string {
  const text = detail.join(' ');
  return text === '' ? '' : ` (${/^\d+$/v.test(text) ? `status ${text}` : text})`;
}

async function directoryProblem(path: string): Promise<string | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    if (found.code === 'ENOENT') return `The working directory ${path} does not exist.`;
    return `The working directory ${path} cannot be entered: ${found.code}.`;
  }
  return found.isDirectory() ? undefined : `The working directory ${path} is not a directory.`;
}

/**
 * Why the request's command cannot be executed, as far as the file system tells; undefined when nothing is wrong with it.
 * Also asked when a process ended with 126 or 127, by which a shell says that exec failed but a script may mean anything.
 */
export async function commandProblem(
  { argv, cwd, env, inheritEnv }: LaunchRequest,
  inheritedPath?: string,
): Promise<string | undefined> {
  const [command = ''] = argv;
  // Shells have about the same of their own where there is none.
  const searched = env['PATH'] ?? (inheritEnv ? inheritedPath : undefined) ?? BARE_PATH;
  const path = command.includes('/') ? resolve(cwd, command) : await searchPath({ command, cwd }, searched);
  if (path === undefined)
    return `There is no command ${JSON.stringify(command)} in the PATH${env['PATH'] === undefined ? '' : ` (${env['PATH']})`}.`;
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error)
    return found.code === 'ENOENT'
      ? `There is no file ${path}.`
      : `The command ${path} cannot be reached: ${found.code}.`;
  if (!found.isFile()) return `The command ${path} is ${found.isDirectory() ? 'a directory' : 'not a file'}.`;
  if ((found.mode & 0o111) === 0) return `The file ${path} is not executable: chmod +x makes it so.`;
  const interpreter = await interpreterOf(path);
  return interpreter !== undefined && (await stat(interpreter).catch(() => undefined)) === undefined
    ? `The interpreter of ${path}, ${interpreter}, does not exist.`
    : undefined;
}

async function searchPath(
  { command, cwd }: { command: string; cwd: string },
  path: string,
): Promise<string | undefined> {
  for (const directory of path.split(delimiter)) {
    const candidate = resolve(cwd, directory, command);
    if (
      await stat(candidate).then(
        (found) => found.isFile(),
        () => false,
      )
    )
      return candidate;
  }
  return undefined;
}

async function interpreterOf(path: string): Promise<string | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return /^#![ \t]*(?<program>\/\S+)/v.exec(buffer.toString('latin1', 0, bytesRead))?.groups?.['program'];
  } finally {
    await file.close();
  }
}
