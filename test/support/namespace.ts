/** A mount namespace of its own, in which a test may mount what it likes: nothing else on the machine sees it. Root's alone. */
import { execFileSync, spawn } from 'node:child_process';
import { until, type Later } from './daemon.ts';

/** Mounts are root's, here. */
export const canMount = process.getuid?.() === 0;

export interface Namespace {
  /** What starts a program in it. */
  readonly enter: readonly string[];
  /** Runs a shell line in it, in the directory. */
  run(script: string): string;
  /** The contents of a file in it. */
  read(name: string): Buffer;
}

/** Does `prepare` (a shell line, in the directory) in a new namespace, which lasts as long as the test. */
export async function namespace(path: string, prepare: string, later: Later): Promise<Namespace> {
  const holder = spawn('unshare', ['-m', 'sh', '-c', `${prepare} && echo ready && exec cat`], {
    cwd: path,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  later(() => void holder.kill('SIGKILL'));
  let said = '';
  holder.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until('the namespace', () => said !== '');
  // Working directories are named anew in there: the one outside is beneath what was mounted.
  const [nsenter, ...args] = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`] as const;
  const inside = (script: string): string[] => [...args, 'sh', '-c', `cd '${path}' && ${script}`];
  return {
    enter: [nsenter, ...args],
    run: (script) => execFileSync(nsenter, inside(script), { encoding: 'utf8' }),
    read: (name) => execFileSync(nsenter, inside(`cat '${name}'`), { maxBuffer: 2 ** 28 }),
  };
}
