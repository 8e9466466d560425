/** The timeline, and what the overview shows of the last day, in a real browser on a history that is known. */
import axe from 'axe-core';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runIds } from '../../src/engine/run-id.ts';
import type { Outcome, RunRecord } from '../../src/model.ts';
import { Batch } from '../../src/store/batch.ts';
import { openDatabase } from '../../src/store/sqlite/open.ts';
import { Recorder } from '../../src/store/sqlite/recorder.ts';
import { tsched } from '../cli/tsched.ts';
import { portOf, startAsked } from '../http/support.ts';
import { directory, type Daemon, type Later } from '../support/daemon.ts';
import { launch, logIn, open, whyNoBrowser } from './browser.ts';

const MINUTE = 60_000;
const MANY = 1000;
const why = whyNoBrowser();
const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let browser: Browser;
let daemon: Daemon;
let origin: string;
let token: string;
let page: Page;
let wrong: string[];

/** Minutes before now: due, begun, ended; and how. */
const RUNS: readonly (readonly [job: string, due: number, begun: number, ended: number, Outcome])[] = [
  ['a-overlaps', 240, 240, 120, { kind: 'succeeded' }],
  ['a-overlaps', 180, 180, 60, { kind: 'failed', exitCode: 3 }],
  ['a-waited', 200, 140, 110, { kind: 'succeeded' }],
  ['b-cancelled', 90, 90, 30, { kind: 'cancelled', by: 'operator' }],
  ...Array.from({ length: 40 }, (_, n): (typeof RUNS)[number] => [
    'b-often',
    150 - n / 20,
    150 - n / 20,
    150 - n / 20 - 0.01,
    n === 20 ? { kind: 'timed_out', after: 9 } : { kind: 'succeeded' },
  ]),
];

function fill(state: string): void {
  mkdirSync(state, { mode: 0o700 });
  const db = openDatabase(join(state, 'tsched.db'));
  const newId = runIds((bytes) => bytes.fill(7));
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  const batch = new Batch();
  const records = RUNS.map(([jobId, due, begun, ended, outcome]): RunRecord => {
    const [scheduledAt, startedAt, finishedAt] = [due, begun, ended].map((ago) => now - ago * MINUTE) as [
      number,
      number,
      number,
    ];
    const attempt = { number: 1, startedAt, finishedAt, duration: finishedAt - startedAt, outcome };
    const times = { scheduledAt, claimedAt: startedAt, finishedAt };
    return { id: '', jobId, cause: 'schedule', state: 'finished', attempts: [attempt], outcome, ...times };
  }).sort((one, other) => one.claimedAt - other.claimedAt);
  batch.claim(
    records.map((record) => Object.assign(record, { id: newId(record.claimedAt) })),
    [],
  );
  new Recorder(db).record(batch.data);
  db.close();
}

const JOBS = {
  'a-overlaps': { cron: '0 0 1 1 *', run: 'true' },
  // Not before these tests are over.
  'a-planned': { every: '10m', start: new Date(Date.now() + 15 * MINUTE).toISOString(), run: 'true' },
  'a-waited': { cron: '0 0 1 1 *', run: 'true' },
  'b-cancelled': { cron: '0 0 1 1 *', run: 'true' },
  'b-often': { cron: '0 0 1 1 *', run: 'true' },
  'c-lives': {
    cron: '0 0 1 1 *',
    run: 'echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done',
    on_shutdown: 'terminate',
  },
  ...Object.fromEntries(
    Array.from({ length: MANY }, (_, n) => [`many-${n}`, { cron: '0 0 1 1 *', run: 'true' }]),
  ),
  'z-follows': { after: 'a-planned', run: 'true' },
};

const range = (): Promise<string> => page.locator('.panel.wide h2').innerText();
const facts = () => page.locator('.facts-box');

beforeAll(async () => {
  if (why !== undefined) return;
  browser = await launch();
  later(() => browser.close());
  const where = directory(later);
  fill(join(where, 'state'));
  daemon = await startAsked({
    jobs: JSON.stringify({ jobs: JOBS }),
    directory: where,
    args: ['--listen', '127.0.0.1:0', '--no-watch'],
    later,
  });
  origin = `http://127.0.0.1:${portOf(daemon).port}`;
  token = tsched([
    'token',
    'create',
    'web',
    '--scope',
    'run',
    '--state-dir',
    daemon.stateDirectory,
  ]).out.trim();
  ({ page, wrong } = await open(browser, origin, { viewport: { width: 1280, height: 800 } }));
  await logIn(page, origin, token);
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

describe.skipIf(why !== undefined)('the timeline', () => {
  it('tells each run by keys: how it ended, that it waited, which overlap, what is planned', async () => {
    await page.goto(`${origin}/#/timeline?q=a-`);
    await page.locator('.gantt').focus();
    await page.getByText('up to').or(page.locator('.aside button').first()).first().waitFor();
    await expect
      .poll(async () => {
        await page.keyboard.press('ArrowDown');
        return facts().count();
      })
      .toBe(1);
    for (const _ of ['from the last', 'of three rows', 'to the first']) await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await facts().getByText('a-overlaps').waitFor();
    await expect.poll(() => facts().innerText()).toMatch(/succeeded\s+due .*\s+took 2 h/);
    const first = await facts().boundingBox();
    await page.keyboard.press('ArrowRight');
    await facts().getByText('failed').waitFor();
    const second = await facts().boundingBox();
    // They overlap, so they lie one below the other, in the same row.
    expect((second?.y ?? 0) - (first?.y ?? 0)).toBeGreaterThan(5);
    expect((second?.y ?? 0) - (first?.y ?? 0)).toBeLessThan(16);
    await page.keyboard.press('ArrowDown');
    await facts().getByText('a-waited').waitFor();
    await expect.poll(() => facts().innerText()).toMatch(/began after 1 h/);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'a-waited' }).waitFor();
    await expect.poll(() => page.url()).toContain('#/runs/');
    expect(wrong).toEqual([]);
  });

  it('tells what the pointer is at, and opens it', async () => {
    await page.goto(`${origin}/#/timeline?q=b-c`);
    await page.locator('.gantt').focus();
    await expect
      .poll(async () => {
        await page.keyboard.press('ArrowLeft');
        return facts().count();
      })
      .toBe(1);
    const box = await facts().boundingBox();
    const left = (await page.locator('.gantt').boundingBox())?.x ?? 0;
    await page.keyboard.press('Escape');
    await expect.poll(() => facts().count()).toBe(0);
    // The bar is an hour long: an eighth of what is shown.
    const at = { x: Math.max((box?.x ?? 0) + (box?.width ?? 0) + 5, left + 200), y: (box?.y ?? 0) - 10 };
    await page.mouse.move(at.x, at.y);
    await facts().getByText('cancelled', { exact: true }).waitFor();
    await page.mouse.click(at.x, at.y);
    await page.locator('.title').getByText('cancelled (operator)').waitFor();
  });

  it('shows what a simulation foretells, of jobs without a clock too, until it is taken away', async () => {
    await page.goto(`${origin}/#/timeline?as=table&q=z-`);
    await page.getByText('0 runs and planned times of 1 jobs').waitFor();
    await page.getByRole('button', { name: 'Simulate' }).click();
    await page.getByText('runs are to come').waitFor();
    const foretold = page.getByRole('row').filter({ hasText: 'simulated' });
    await foretold.first().waitFor();
    await expect.poll(() => foretold.first().innerText()).toContain('z-follows');
    await page.getByRole('button', { name: 'Table' }).click();
    await page.locator('.gantt').focus();
    await page.keyboard.press('ArrowRight');
    await facts().getByText('simulated').waitFor();
    await page.getByRole('button', { name: 'Simulate' }).click();
    await page.getByRole('button', { name: 'Table' }).click();
    await expect.poll(() => foretold.count()).toBe(0);
    expect(wrong).toEqual([]);
  });

  it('is zoomed and moved by buttons, wheel, drag and keys, and its address says where it is', async () => {
    await page.goto(`${origin}/#/timeline`);
    await page.getByRole('button', { name: 'Now' }).waitFor();
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await expect.poll(() => page.url()).toContain('minutes=240');
    await page.locator('.gantt').focus();
    await page.keyboard.press('-');
    await expect.poll(() => page.url()).not.toContain('minutes');
    const box = await page.locator('.gantt').boundingBox();
    await page.mouse.move((box?.x ?? 0) + 600, (box?.y ?? 0) + 200);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await expect.poll(() => page.url()).toMatch(/since=.*minutes=|minutes=.*since=/);
    const before = { range: await range(), url: page.url() };
    await page.mouse.down();
    // In one step: its address is written when it rests, which on a busy machine it may between two.
    await page.mouse.move((box?.x ?? 0) + 800, (box?.y ?? 0) + 200);
    await page.mouse.up();
    const moved = await range();
    expect(moved).not.toBe(before.range);
    await expect.poll(() => page.url()).not.toBe(before.url);
    await page.reload();
    await page.getByText('live', { exact: true }).waitFor();
    await expect.poll(range).toBe(moved);
    await page.getByRole('button', { name: 'Now' }).click();
    await expect.poll(() => page.url()).not.toContain('since');
    await page.locator('.aside button').first().click();
    await expect.poll(() => page.url()).toContain('minutes=30');
    expect(wrong).toEqual([]);
  });

  it('tells the same as a table', async () => {
    await page.goto(`${origin}/#/timeline?as=table&q=a-`);
    const row = (name: string) => page.getByRole('row').filter({ hasText: name });
    await row('a-waited').first().waitFor();
    await expect.poll(() => row('a-waited').innerText()).toMatch(/1 h.*30 m.*succeeded/s);
    await expect.poll(() => row('a-overlaps').count()).toBe(2);
    await expect.poll(() => row('failed').count()).toBe(1);
    await expect.poll(() => row('planned').count()).toBeGreaterThan(5);
    await page.goto(`${origin}/#/timeline?as=table&q=b-often`);
    await row('b-often').filter({ hasText: 'timed out' }).waitFor();
    await page.goto(`${origin}/#/timeline?q=b-often&minutes=44640`);
    await page.locator('.gantt').focus();
    // At the scale of a month its runs are one.
    await expect
      .poll(async () => {
        await page.keyboard.press('ArrowLeft');
        return (await facts().count()) === 0 ? '' : facts().innerText();
      })
      .toMatch(/40 runs from .*, 1 failed/);
  });

  it('draws and asks for the rows in sight alone, of a thousand', async () => {
    const asked: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/timeline?')) asked.push(request.url());
    });
    await page.goto(`${origin}/#/timeline`);
    await page.getByRole('link', { name: 'a-overlaps' }).waitFor();
    await page.evaluate("document.querySelector('.gantt').scrollTop = 15000");
    const name = Object.keys(JOBS).sort()[505] ?? '';
    await page.getByRole('link', { name, exact: true }).waitFor();
    expect(await page.locator('.rows .id').count()).toBeLessThan(60);
    await expect.poll(() => asked.at(-1)).toContain(name);
    for (const url of asked) expect(url.split('jobs=')[1]?.split(',').length).toBeLessThan(60);
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(why !== undefined)('the overview', () => {
  it('counts the last day in the store, and shows how late runs started', async () => {
    await page.goto(`${origin}/#/`);
    await page
      .locator('.legend.good')
      .filter({ hasText: `${RUNS.length - 3} succeeded` })
      .waitFor();
    await page.locator('.legend.bad').filter({ hasText: '2 failed' }).waitFor();
    await expect
      .poll(() => page.locator('.bars svg').nth(1).getAttribute('aria-label'))
      .toMatch(/p50 .*, p99 /);
    await page.locator('.failure').filter({ hasText: 'timed out' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('shows what runs now against what it usually takes', async () => {
    await page.goto(`${origin}/#/jobs/c-lives`);
    writeFileSync(join(daemon.directory, 'go'), '');
    await page.getByRole('button', { name: 'Run now: c-lives' }).click();
    await page.locator('.history').getByText('succeeded').waitFor();
    rmSync(join(daemon.directory, 'go'));
    await page.getByRole('button', { name: 'Run now: c-lives' }).click();
    await page.goto(`${origin}/#/`);
    const running = page.locator('.running').filter({ hasText: 'c-lives' });
    await running.filter({ hasText: 'of about' }).waitFor();
    await page.locator('.counters .active').filter({ hasText: '1' }).waitFor();
    await page.locator('progress.over').waitFor();
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(why !== undefined)('the stream of a page', () => {
  it('is one, and tells the output of a run too', async () => {
    const streams = new Set<string>();
    page.on('request', (request) => {
      if (request.resourceType() === 'eventsource') streams.add(request.url());
    });
    page.on('requestfailed', (request) => void streams.delete(request.url()));
    page.on('requestfinished', (request) => void streams.delete(request.url()));
    await page.goto(`${origin}/#/`);
    await page.locator('.running a').last().click();
    await page.locator('.line').filter({ hasText: 'begun' }).waitFor();
    // Which of the two is heard of first, the one that was closed or the one that was opened, is the browser's affair.
    const ofARun = (): boolean[] => [...streams].map((url) => url.includes('run='));
    await expect.poll(ofARun).toEqual([true]);
    writeFileSync(join(daemon.directory, 'go'), '');
    await page.locator('.line').filter({ hasText: 'done' }).waitFor();
    await page.locator('.title').getByText('succeeded').waitFor();
    await expect.poll(ofARun).toEqual([false]);
  });

  it('is closed while nobody sees the page, and misses nothing', async () => {
    const other = await open(browser, origin);
    await logIn(other.page, origin, token);
    await other.page.goto(`${origin}/#/jobs?q=c-lives`);
    await other.page.getByRole('row').filter({ hasText: 'succeeded' }).waitFor();
    // A headless browser has no tab in the background: the page is told that it is one.
    const hide = (isHidden: boolean): Promise<unknown> =>
      other.page.evaluate(
        `Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
         document.dispatchEvent(new Event('visibilitychange'));`,
      );
    let loads = 0;
    const closed = other.page.waitForEvent('requestfailed');
    other.page.on('request', (request) => {
      if (request.url().includes('/jobs?limit=')) loads += 1;
    });
    await hide(true);
    expect((await closed).resourceType()).toBe('eventsource');
    await page.goto(`${origin}/#/jobs/c-lives`);
    await page.getByRole('button', { name: 'Pause c-lives' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByText('c-lives is paused.').waitFor();
    expect(await other.page.locator('.state.paused').count()).toBe(0);
    await hide(false);
    await other.page.locator('.state.paused').waitFor();
    expect(loads).toBe(0);
    expect(other.wrong).toEqual([]);
    await other.page.context().close();
  });
});

describe.skipIf(why !== undefined)('every width and colour', () => {
  it('finds no serious obstacle, and nothing wider than a telephone', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const path of ['/', '/timeline', '/timeline?as=table&q=a-']) {
        await page.setViewportSize({ width: 380, height: 780 });
        await page.goto(`${origin}/#${path}`);
        await page.locator('.bars, .gantt, td').first().waitFor();
        const width = await page.evaluate<number>('document.documentElement.scrollWidth');
        expect(width, path).toBeLessThanOrEqual(380);
        await page.setViewportSize({ width: 1280, height: 800 });
        const found = await page.evaluate<string[]>(
          `${axe.source}; axe.run().then(({ violations }) => violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ').slice(0, 300)))`,
        );
        expect(found, `${path}, ${colorScheme}`).toEqual([]);
      }
    }
  });
});
