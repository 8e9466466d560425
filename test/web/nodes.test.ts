/** The view of a cluster in a real browser. The daemon is real and alone; what it would tell of nodes is put into its answers. */
import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { ask, portOf, socketOf, startAsked } from '../http/support.ts';
import type { Daemon, Later } from '../support/daemon.ts';
import { launch, logIn, open, whyNoBrowser } from './browser.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

function node(name: string, more: object = {}): object {
  return {
    id: name,
    name,
    state: 'up',
    conducts: false,
    schedules: true,
    labels: [],
    slots: 4,
    busy: 1,
    host: `${name}.example`,
    pid: 1,
    version: '1.2.3',
    startedAt: '2027-01-01T00:00:00Z',
    heardAgoMs: 900,
    skewMs: 0,
    file: 'same',
    lacks: [],
    ...more,
  };
}

const nodes = [
  node('web-1', { conducts: true, busy: 3 }),
  node('web-2', { skewMs: -6200, file: 'differs', labels: ['gpu', HOSTILE], lacks: ['/srv/report.ts'] }),
  node('web-3', { state: 'silent', heardAgoMs: 65_000, schedules: false }),
];

const why = whyNoBrowser();
const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
const asked: string[] = [];
let drained = false;
let tokens = 0;
let browser: Browser;
let daemon: Daemon;
let origin: string;

/** A page of somebody with that scope, whose daemon says that it belongs to a cluster. */
async function pageFor(scope: 'admin' | 'run', isCluster = true) {
  const { page, wrong } = await open(browser, origin, { viewport: { width: 1280, height: 900 } });
  onTestFinished(async () => {
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.context().close();
  });
  const scripts: string[] = [];
  page.on('request', (request) => {
    const name = /\/assets\/(\w+)-\w{8}\.js$/.exec(request.url())?.[1];
    if (name !== undefined) scripts.push(name);
  });
  if (isCluster) {
    await page.route('**/api/v1/status', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...((await response.json()) as object), cluster: true } });
    });
    await page.route(/\/api\/v1\/jobs\?/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        body: (await response.text()).replaceAll('"node":null', '"node":"web-1"'),
      });
    });
    await page.route('**/api/v1/nodes', (route) =>
      route.fulfill({
        json: {
          nodes: drained ? [node('web-1', { conducts: true, state: 'draining' })] : nodes,
          conductor: 'web-1',
          term: 12,
          fileVersion: 3,
          queued: [{ labels: ['gpu'], module: null, count: 5, oldestMs: 61_000 }],
        },
      }),
    );
    await page.route('**/api/v1/nodes/**', (route) => {
      asked.push(`${route.request().method()} ${new URL(route.request().url()).pathname}`);
      drained = true;
      return route.fulfill({ json: node('web-1', { state: 'draining' }) });
    });
  }
  const token = tsched([
    'token',
    'create',
    `t${(tokens += 1)}`,
    '--scope',
    scope,
    '--state-dir',
    daemon.stateDirectory,
  ]);
  await logIn(page, origin, token.out.trim());
  return { page, wrong, scripts };
}

beforeAll(async () => {
  if (why !== undefined) return;
  daemon = await startAsked({
    jobs: JSON.stringify({ jobs: { waits: { cron: '0 0 1 1 *', run: 'sleep 300' } } }),
    args: ['--listen', '127.0.0.1:0', '--no-watch'],
    later,
  });
  await ask(socketOf(daemon), '/api/v1/jobs/waits/runs', { method: 'POST' });
  await daemon.until('it to run', () => daemon.events('attempt_started').length > 0);
  origin = `http://127.0.0.1:${portOf(daemon).port}`;
  browser = await launch();
  later(() => browser.close());
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

describe.skipIf(why !== undefined)('the nodes', () => {
  it('are a view of clusters alone, which is not loaded before it is looked at', async () => {
    const { page, scripts, wrong } = await pageFor('run', false);
    await page.getByText('1 running').or(page.getByText('Running now')).first().waitFor();
    expect(await page.getByRole('link', { name: 'Nodes' }).count()).toBe(0);
    expect(scripts).toContain('main');
    expect(scripts.filter((name) => ['nodes', 'file', 'timeline'].includes(name))).toEqual([]);
    expect(wrong).toEqual([]);
  });

  it('are shown with who conducts, what is wrong with each, what waits and what runs', async () => {
    const { page, scripts, wrong } = await pageFor('run');
    await page.getByRole('link', { name: 'Nodes' }).click();
    const row = page.getByRole('row').filter({ hasText: 'web-1' });
    await row.getByText('conducts').waitFor();
    expect(scripts.at(-1)).toBe('nodes');
    await expect.poll(() => row.getByRole('progressbar').getAttribute('value')).toBe('3');
    await expect.poll(() => row.innerText()).toContain('3 of 4');
    const alerts = await page.getByRole('alert').allInnerTexts();
    expect(alerts).toEqual([
      "The clock of web-2 is 6.2 s behind the database's, so it does not conduct.",
      'web-2 lacks /srv/report.ts: it takes no run of these modules.',
      "The job file of web-2 is not the one that is in force: tsched publish makes one file everybody's.",
    ]);
    await expect
      .poll(() => page.getByRole('row').filter({ hasText: 'web-2' }).innerText())
      .toContain(HOSTILE);
    await expect.poll(() => page.getByText('for gpu').innerText()).toBe('5 for gpu');
    const running = page.locator('section').filter({ hasText: 'Runs now' });
    await running.getByRole('link', { name: 'waits' }).waitFor();
    // Who may not drain is not offered it.
    expect(await page.getByRole('button', { name: /Drain/ }).count()).toBe(0);
    const violations = await page.evaluate<string[]>(
      `${axe.source}; axe.run().then(({ violations }) => violations.map(({ id }) => id))`,
    );
    expect(violations).toEqual([]);
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Nodes' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('are drained by those who may', async () => {
    const { page, wrong } = await pageFor('admin');
    await page.goto(`${origin}/#/nodes`);
    await page.getByRole('button', { name: 'Drain web-1' }).click();
    await page.getByText('web-1 finishes what it has and takes nothing new.').waitFor();
    await page.getByRole('button', { name: 'Resume web-1' }).waitFor();
    expect(asked).toEqual(['POST /api/v1/nodes/web-1/drain']);
    expect(wrong).toEqual([]);
  });

  it('tell, when their code cannot be had, what to do', async () => {
    const { page } = await pageFor('run');
    await page.route('**/assets/nodes-*.js', (route) => route.abort());
    await page.goto(`${origin}/#/nodes`);
    await page.getByText('This view could not be loaded.').waitFor();
    await page.unroute('**/assets/nodes-*.js');
    await page.getByRole('button', { name: 'Load the page anew' }).click();
    await page.getByRole('heading', { name: 'Nodes' }).waitFor();
    await page.getByRole('row').nth(1).waitFor();
    await expect.poll(() => page.getByRole('row').count()).toBe(2);
  });
});

describe.skipIf(why !== undefined)('a run', () => {
  it('shows the node of each attempt', async () => {
    const { page, wrong } = await pageFor('run');
    const { body } = await ask(socketOf(daemon), '/api/v1/runs?status=active');
    await page.route('**/api/v1/runs/**', async (route) => {
      const response = await route.fetch();
      const run = (await response.json()) as { attempts: object[] };
      const attempts = [
        {
          number: 1,
          startedAt: '2027-01-01T00:00:00Z',
          finishedAt: '2027-01-01T00:00:05Z',
          durationMs: 5000,
          pid: 3,
          node: 'web-3',
          outcome: { kind: 'lost', message: 'node web-3 was not heard of for 15 s' },
        },
        { ...run.attempts[0], number: 2, node: 'web-1' },
        { ...run.attempts[0], number: 3, node: null, awaits: ['eu', 'gpu'] },
      ];
      await route.fulfill({ response, json: { ...run, attempts } });
    });
    await page.goto(`${origin}/#/runs/${body.runs[0].id as string}`);
    await page.getByText('waits for a node with eu, gpu', { exact: true }).waitFor();
    expect(await page.getByRole('tab').allInnerTexts()).toEqual([
      expect.stringContaining('web-3'),
      expect.stringContaining('running, web-1'),
      expect.stringContaining('waits for a node'),
    ]);
    expect(wrong).toEqual([]);
  });
});
