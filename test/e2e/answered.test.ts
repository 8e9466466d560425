/** Whoever was answered may rely on it: the daemon is killed right after, each time, and the next one knows. */
import { expect, it } from 'vitest';
import { ask, socketOf, startAsked, type Body, type Told } from '../http/support.ts';
import { directory, type Daemon } from '../support/daemon.ts';

const DAY = 86_400_000;
const HOUR = (new Date().getUTCHours() + 12) % 24;

interface Step {
  readonly asked: readonly [method: string, path: string, json?: object];
  /** What the next daemon is asked, with what was answered. */
  readonly look: (answer: Body) => string;
  readonly told: (answer: Body) => object;
}

const job = (description: string): object => ({
  job: { cron: `0 ${HOUR} * * *`, run: 'sleep 3600', description },
});

const STEPS: readonly Step[] = [
  {
    asked: ['POST', '/jobs/a/pause', { reason: 'rest' }],
    look: () => '/jobs/a',
    told: () => ({ status: 200, body: { state: 'paused', pause: { reason: 'rest' } } }),
  },
  {
    asked: ['POST', '/jobs/a/resume'],
    look: () => '/jobs/a',
    told: () => ({ status: 200, body: { state: 'scheduled', pause: null } }),
  },
  {
    asked: ['POST', '/jobs/b', job('one')],
    look: () => '/jobs/b',
    told: () => ({ status: 200, body: { description: 'one' } }),
  },
  {
    asked: ['PUT', '/jobs/b', job('two')],
    look: () => '/jobs/b',
    told: () => ({ status: 200, body: { description: 'two' } }),
  },
  {
    asked: ['POST', '/jobs/b/runs'],
    look: ({ id }) => `/runs/${id as string}`,
    told: () => ({ status: 200, body: { jobId: 'b', cause: 'manual' } }),
  },
  { asked: ['DELETE', '/jobs/b'], look: () => '/jobs/b', told: () => ({ status: 404 }) },
  {
    asked: ['POST', '/replays', { job: 'a', from: new Date(Date.now() - 3 * DAY).toISOString() }],
    look: ({ id }) => `/replays/${id as string}`,
    told: ({ total }) => ({ status: 200, body: { total, state: 'active' } }),
  },
];

async function asked(daemon: Daemon, [method, path, json]: Step['asked']): Promise<Told> {
  return ask(socketOf(daemon), `/api/v1${path}`, { method, ...(json && { json }) });
}

it('what is paused, resumed, added, replaced, begun, removed and replayed', async () => {
  const where = directory();
  const jobs = JSON.stringify({
    jobs: { a: { cron: `0 ${HOUR} * * *`, run: 'sleep 3600', misfire: 'none' } },
  });
  let daemon = await startAsked({ directory: where, jobs });
  for (const { asked: question, look, told } of STEPS) {
    const what = `${question[0]} ${question[1]}`;
    const { status, body } = await asked(daemon, question);
    daemon.signal('SIGKILL');
    expect(status, what).toBeLessThan(300);
    await daemon.exited;
    daemon = await startAsked({ directory: where, jobs });
    expect(await asked(daemon, ['GET', look(body)]), what).toMatchObject(told(body));
  }
});
