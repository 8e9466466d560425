/** Loads a module task and calls it, wherever it is to run: the same in a process of its own and in a thread. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createContext, type ContextData, type ContextEffects } from './context.ts';
import { returned, threw, type ModuleOutcome } from './module-outcome.ts';

/** What is to be called, with what. Plain data. */
export interface TaskCall {
  /** Absolute path of the module. */
  readonly path: string;
  readonly exportName: string;
  readonly context: ContextData;
}

/**
 * Runs the task of this process or thread, and says once how it ended: it settled, it left nothing that could settle it,
 * or an error escaped it. `end` should then exit, whatever is still pending.
 */
export function runTask(
  call: TaskCall,
  effects: ContextEffects,
  end: (outcome: ModuleOutcome) => void,
): void {
  let over = false;
  const once = (outcome: ModuleOutcome): void => {
    if (over) return;
    over = true;
    end(outcome);
  };
  process.on('uncaughtException', (error) => {
    // A task with a handler of its own has decided to live on.
    if (process.listenerCount('uncaughtException') === 1) once(threw(error));
  });
  process.on('beforeExit', () => {
    once({
      kind: 'threw',
      message: 'no result: the promise never settled, and nothing is left that could settle it',
    });
  });
  void callTask(call, effects).then(once);
}

/** Resolves to the outcome of the task, or never when it never settles. Never rejects. */
async function callTask(call: TaskCall, effects: ContextEffects): Promise<ModuleOutcome> {
  const absent = whyNoFile(call.path);
  if (absent !== undefined) return { kind: 'not_started', message: absent };
  try {
    const exports = await importModule(call.path);
    const task = pick(exports, call.exportName);
    if (typeof task !== 'function') return { kind: 'threw', message: noSuchTask(call, exports, task) };
    return returned(await task(createContext(call.context, effects)));
  } catch (error) {
    return threw(error);
  }
}

function whyNoFile(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined)
      return `There is no module ${path}: check "module:", it is relative to the job file.`;
    return stat.isFile() ? undefined : `The module ${path} is not a file.`;
  } catch (error) {
    return `The module ${path} cannot be read: ${(error as Error).message}`;
  }
}

type Exports = Readonly<Record<string, unknown>>;

async function importModule(path: string): Promise<Exports> {
  try {
    return (await import(pathToFileURL(path).href)) as Exports;
  } catch (error) {
    throw explained(error, path);
  }
}

/** The task among the exports, looking through the wrappings that CommonJS and compilers to it put around them. */
function pick(exports: Exports, name: string): unknown {
  const inner = exports['default'];
  const wrapped = typeof inner === 'object' && inner !== null ? (inner as Exports)[name] : undefined;
  const direct = Object.hasOwn(exports, name) ? exports[name] : undefined;
  return typeof direct !== 'function' && typeof wrapped === 'function' ? wrapped : direct;
}

function noSuchTask({ path, exportName }: TaskCall, exports: Exports, found: unknown): string {
  if (found !== undefined)
    return `The export "${exportName}" of ${path} is no function but ${kindOf(found)}.`;
  const functions = Object.keys(exports).filter((name) => typeof exports[name] === 'function');
  const names = functions.slice(0, 10).map((name) => `"${name}"`);
  const others =
    functions.length === 0
      ? 'It exports no function: write "export default async function (context) { … }".'
      : `It exports ${names.join(', ')}${functions.length > 10 ? ', …' : ''}: name one with "export:".`;
  return `${path} has no export "${exportName}". ${others}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Adds what to write instead to the errors of Node's loader that beginners meet; others are returned as they are. */
function explained(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const advice = 'code' in error ? adviceFor(error) : undefined;
  if (advice !== undefined) error.message += `. ${advice}`;
  if (error instanceof SyntaxError && advice === undefined) error.message += placeOfSyntaxError(path);
  return error;
}

/** Of a mistake in plain JavaScript Node tells only its own terminal the place; so a second Node is asked. */
function placeOfSyntaxError(path: string): string {
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8', timeout: 10_000 });
  const place = /^(?:file:\/\/)?(\/.*:\d+)$/mu.exec(stderr)?.[1];
  return place === undefined ? '' : ` (${place})`;
}

function adviceFor(error: Error & { code?: unknown; url?: string }): string | undefined {
  switch (error.code) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return 'Node runs TypeScript by leaving the types out; enums, namespaces with code, parameter properties and the like need compiling: write a constant object or plain assignments, or give "module:" the compiled JavaScript';
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'Node does not run TypeScript below node_modules: use the JavaScript that package ships, or move the file out';
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return 'A module task is a .ts, .mts, .cts, .js, .mjs or .cjs file';
    case 'ERR_MODULE_NOT_FOUND': {
      const extension = ['.ts', '.js', '.mjs'].find(
        (ending) => error.url !== undefined && existsSync(fileURLToPath(error.url) + ending),
      );
      return extension === undefined ? undefined : `Imports name the whole file: add "${extension}"`;
    }
    default:
      return undefined;
  }
}

/** Makes the environment of this process or thread exactly `env`. */
export function adoptEnvironment(env: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
  Object.assign(process.env, env);
}

/** Done ahead of time: Node loads what strips types at its first .ts file, which takes as long as its own start. */
export function loadTypeStripping(): void {
  const emitWarning: unknown = Reflect.get(process, 'emitWarning');
  process.emitWarning = () => undefined; // "experimental", which importing a .ts file is not
  try {
    stripTypeScriptTypes('');
  } finally {
    Reflect.set(process, 'emitWarning', emitWarning);
  }
}
