/** Hosts with addresses of their own: network namespaces on a bridge that is in one too, so that nothing of the machine's own network is touched. Root's alone. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Why this machine cannot have such hosts; undefined: it can. */
export const noNetwork = whyNot();

/** `silent`: packets are swallowed, and the host sees nothing of it. `unplugged`: its interface is down, and it has no route. */
export type Cut = 'silent' | 'unplugged';

export interface Place {
  readonly address: string;
  /** What starts a program there; the pid stays. */
  readonly enter: readonly string[];
}

export interface Host extends Place {
  /** In both directions. */
  cut(how: Cut): void;
  heal(): void;
}

/** From a range that is kept for examples. */
const ADDRESSES = '192.0.2';

export class Network {
  /** Where all meet, for what is to be reached by everybody. */
  readonly centre: Place;
  readonly #name = randomName();
  readonly #namespaces: string[] = [];

  constructor() {
    this.centre = this.#place(this.#name, 1);
    ip('-n', this.#name, 'link', 'add', 'bridge', 'type', 'bridge');
    ip('-n', this.#name, 'address', 'add', `${this.centre.address}/24`, 'dev', 'bridge');
    ip('-n', this.#name, 'link', 'set', 'bridge', 'up');
  }

  host(): Host {
    const number = this.#namespaces.length;
    const [inside, port] = [`${this.#name}-${number}`, `port${number}`];
    const place = this.#place(inside, 10 + number);
    const outside = ['-n', this.#name, 'link'] as const;
    ip(...outside, 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', inside);
    ip(...outside, 'set', port, 'master', 'bridge', 'up');
    ip('-n', inside, 'address', 'add', `${place.address}/24`, 'dev', 'eth0');
    const link = (state: 'up' | 'down') => ip('-n', inside, 'link', 'set', 'eth0', state);
    link('up');
    return {
      ...place,
      cut: (how) => (how === 'silent' ? ip(...outside, 'set', port, 'nomaster') : link('down')),
      heal: () => {
        ip(...outside, 'set', port, 'master', 'bridge');
        link('up');
      },
    };
  }

  /** When all that was started in it has ended. */
  close(): void {
    for (const name of this.#namespaces.splice(0).reverse()) ip('netns', 'delete', name);
  }

  #place(name: string, number: number): Place {
    ip('netns', 'add', name);
    this.#namespaces.push(name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return { address: `${ADDRESSES}.${number}`, enter: ['ip', 'netns', 'exec', name] };
  }
}

function randomName(): string {
  return `tsched-test-${randomBytes(4).toString('hex')}`;
}

function ip(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces are for root';
  if (spawnSync('ip', ['-V']).error !== undefined) return 'there is no program ip: install iproute2';
  const name = randomName();
  try {
    ip('netns', 'add', name);
  } catch (error) {
    return `no network namespace can be made here: ${(error as Error).message}`;
  }
  try {
    ip('-n', name, 'link', 'add', 'bridge', 'type', 'bridge');
    ip('-n', name, 'link', 'add', 'port', 'type', 'veth', 'peer', 'name', 'eth0');
    return undefined;
  } catch (error) {
    return `there are no bridges between network namespaces here: ${(error as Error).message}`;
  } finally {
    ip('netns', 'delete', name);
  }
}
