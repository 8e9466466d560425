/**
 * The program inside the process of a module task. It is started in one of two ways:
 *
 *     module-host attempt <assignment> <outcome>    runs one task; both are paths, or numbers of inherited descriptors
 *     module-host spare <socket>                    waits for its assignment on that Unix socket, then does the same
 *
 * Success exists only as a message in the outcome file: whatever else ends the process (process.exit, a signal, a crash)
 * leaves none, and the daemon judges by the exit record.
 */
import { Console } from 'node:console';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { isAbsolute } from 'node:path';
import { adoptEnvironment, loadTypeStripping, runTask, type TaskCall } from './module-call.ts';
import { UNWRITABLE, type ModuleOutcome } from './module-outcome.ts';

/** What a host reads from the assignment file. */
export interface Assignment extends TaskCall {
  /** The signal that asks the task to end. */
  readonly killSignal: string;
}

/** What a spare is told, as one line of JSON; it answers with a line, and then begins. */
export interface SpareOrder {
  readonly assignment: Assignment;
  /** Path of the outcome. */
  readonly outcome: string;
  readonly cwd: string;
  /** The whole environment of the run. */
  readonly env: Readonly<Record<string, string>>;
}

/** The task may replace it (a library that counts exits, say); the end of the run must not depend on that. */
const exit = process.exit.bind(process);

const [mode = '', ...operands] = process.argv.splice(2);
if (mode === 'attempt') attempt(readAssignment(operands[0] ?? ''), operands[1] ?? '');
else if (mode === 'spare') spare(operands[0] ?? '');
else exit(64);

function attempt({ killSignal, ...call }: Assignment, outcome: string): void {
  runTask(call, { signal: () => abortOn(killSignal), write }, (result) => end(result, outcome));
}

/** One write, the last thing that matters: a message cut short is no message. Then out, whatever is still pending. */
function end(result: ModuleOutcome, outcome: string): void {
  try {
    writeFileSync(fileOf(outcome), JSON.stringify(result), { mode: 0o600 });
  } catch {
    exit(UNWRITABLE);
  }
  exit(result.kind === 'succeeded' ? 0 : 1);
}

function readAssignment(operand: string): Assignment {
  return JSON.parse(readFileSync(fileOf(operand), 'utf8')) as Assignment;
}

function fileOf(operand: string): string | number {
  return isAbsolute(operand) ? operand : Number(operand);
}

/**
 * Only a task that looks at its AbortSignal gets a signal handler: for all others the signal does what it does to any
 * process, at once.
 */
function abortOn(killSignal: string): AbortSignal {
  const controller = new AbortController();
  try {
    process.on(killSignal, () => {
      controller.abort(new DOMException(`The run is to end (${killSignal})`, 'AbortError'));
    });
  } catch (error) {
    // KILL and STOP cannot be heard.
    if ((error as NodeJS.ErrnoException).syscall !== 'uv_signal_start') throw error;
  }
  return controller.signal;
}

let output: Console | undefined;

/** Through a console, because it alone outlives a full disk; made late, because most tasks write nothing this way. */
function write(stream: 'stdout' | 'stderr', text: string): void {
  output ??= new Console({ stdout: process.stdout, stderr: process.stderr, ignoreErrors: true });
  const line = text.slice(0, -1);
  if (stream === 'stdout') output.log(line);
  else output.error(line);
}

/** Costs nothing while it waits, and ends with the daemon: the socket closes then. */
function spare(path: string): void {
  loadTypeStripping();
  const socket = connect(path);
  let line = '';
  socket.setEncoding('utf8');
  // Not 0: should the daemon have died while it gave this a run, that has not succeeded.
  socket.on('error', () => exit(1));
  socket.on('close', () => exit(1));
  socket.on('data', (text: string) => {
    line += text;
    if (!line.endsWith('\n')) return;
    socket.removeAllListeners();
    socket.end('ok\n', () => {
      socket.destroy();
      obey(JSON.parse(line) as SpareOrder);
    });
  });
}

function obey({ assignment, outcome, cwd, env }: SpareOrder): void {
  adoptEnvironment(env);
  try {
    process.chdir(cwd);
  } catch (error) {
    const message = `The working directory ${cwd} cannot be used: ${(error as Error).message}`;
    end({ kind: 'not_started', message }, outcome);
  }
  attempt(assignment, outcome);
}
