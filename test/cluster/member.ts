/** Nodes as processes, and what they said. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { until, type Later } from '../support/daemon.ts';

export interface MemberSettings {
  readonly url: string;
  /** Where the node's id is; made if it is not there. */
  readonly directory: string;
  readonly name: string;
  readonly schedules?: boolean;
  readonly labels?: readonly string[];
  readonly slots?: number;
}

/** What a node said. */
export interface Said {
  /** By one clock for all. */
  readonly at: number;
  readonly id?: string;
  /** It conducts; null: it does not any more. */
  readonly term?: number | null;
  readonly upSince?: number;
  readonly drain?: boolean;
  readonly ready?: readonly string[];
  readonly log?: string;
  readonly level?: string;
  readonly refused?: string;
  readonly hint?: string;
  readonly left?: boolean;
}

export class Member {
  readonly name: string;
  readonly pid: number;
  readonly said: Said[] = [];
  readonly #child: ChildProcess;
  #rest = '';
  #errors = '';

  constructor(
    settings: MemberSettings,
    { env = {}, later }: { env?: Readonly<Record<string, string>>; later: Later },
  ) {
    mkdirSync(settings.directory, { recursive: true });
    this.name = settings.name;
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'member-process.ts'), JSON.stringify(settings)],
      { env: { PATH: process.env['PATH'], TZ: 'UTC', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.stderr.on('data', (piece: Buffer) => (this.#errors += piece.toString()));
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      const lines = (this.#rest + piece).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.said.push(JSON.parse(line) as Said);
    });
    later(() => this.kill());
  }

  /** The terms it conducted, in order. */
  get terms(): readonly number[] {
    return this.said.flatMap(({ term }) => (typeof term === 'number' ? [term] : []));
  }

  get conducts(): boolean {
    return typeof this.said.findLast(({ term }) => term !== undefined)?.term === 'number';
  }

  /** The first it said of that kind, from the one numbered `from`. */
  hears(what: string, is: (said: Said) => boolean, from = 0): Promise<Said> {
    return until(`${this.name} to say ${what}`, () => this.said.slice(from).find(is), {
      told: () => `: ${JSON.stringify(this.said.slice(-8))} ${this.#errors}`,
    });
  }

  ready(): Promise<Said> {
    return this.hears('that it is a node', ({ id }) => id !== undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** In good order. */
  async leave(): Promise<Said> {
    this.signal('SIGTERM');
    return this.hears('that it has left', ({ left }) => left === true);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
