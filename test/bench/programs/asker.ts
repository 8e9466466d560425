/**
 * Asks a daemon over its socket: `asker.ts <socket> <requests a second | Infinity> <seconds>`; says when it is ready, and begins at a
 * line of input. Prints the number of answers. Requests are bytes made once and of answers only the length is read: what is measured
 * is the daemon, so this must cost little.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const PATHS = [
  '/api/v1/status',
  '/api/v1/jobs/t1',
  '/api/v1/jobs?limit=20',
  '/api/v1/runs?limit=20',
  '/healthz',
];
const REQUESTS = PATHS.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
const CONNECTIONS = 16;

/** One request at a time. */
class Line {
  readonly #socket: Socket;
  #answer: Buffer = Buffer.alloc(0);
  #asked: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => this.#asked?.reject(new Error('the daemon hung up')));
  }

  ask(n: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      this.#socket.write(REQUESTS[n % REQUESTS.length] ?? '');
    });
  }

  #take(chunk: Buffer): void {
    this.#answer = this.#answer.length === 0 ? chunk : Buffer.concat([this.#answer, chunk]);
    const end = this.#answer.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#answer.toString('latin1', 0, end);
    const [, length] = /^content-length: (\d+)/im.exec(head) ?? [];
    if (!head.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(head);
    if (this.#answer.length < end + 4 + Number(length)) return;
    this.#answer = Buffer.alloc(0);
    this.#asked?.resolve();
  }
}

async function ask(lines: readonly Line[], rate: number, seconds: number): Promise<number> {
  let [asked, answers] = [0, 0];
  const begun = performance.now();
  const elapsed = (): number => (performance.now() - begun) / 1000;
  const keepAsking = async (line: Line): Promise<void> => {
    while (elapsed() < seconds) {
      if (asked >= elapsed() * rate) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      await line.ask((asked += 1));
      answers += 1;
    }
  };
  await Promise.all(lines.map(keepAsking));
  return answers;
}

const [path = '', rate, seconds] = process.argv.slice(2);
const sockets = Array.from({ length: CONNECTIONS }, () => connect(path));
const lines = sockets.map((socket) => new Line(socket));
await Promise.all(sockets.map((socket) => once(socket, 'connect')));
console.log('ready');
await once(process.stdin, 'data');
console.log(await ask(lines, Number(rate), Number(seconds)));
process.exit();
