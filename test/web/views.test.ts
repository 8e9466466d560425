/** What single views show and do, in a real browser: a job with a year of history, lines that can be linked to, a changed file. */
import axe from 'axe-core';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/engine/clock.ts';
import { runIds } from '../../src/engine/run-id.ts';
import type { Outcome, RunRecord } from '../../src/model.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { tsched } from '../cli/tsched.ts';
import { portOf, startAsked } from '../http/support.ts';
import { directory, type Daemon, type Later } from '../support/daemon.ts';
import { launch, logIn, open, whyNoBrowser } from './browser.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const DAY = 86_400_000;
/** So far from now that no slot falls due by itself. */
const HOUR = (new Date().getUTCHours() + 12) % 24;
/** When the job was due yesterday. */
const DUE = Math.floor(Date.now() / DAY) * DAY - DAY + HOUR * (DAY / 24);
const JOBS = {
  yearly: {
    cron: `0 ${HOUR} * * *`,
    timezone: 'UTC',
    description: HOSTILE,
    timeout: '45m',
    tags: ['nightly'],
    run: 'echo "since $TSCHED_WITH_SINCE"',
  },
  changes: { cron: '30 2 * 3,10 0L', timezone: 'Europe/Berlin', run: 'true' },
  lines: { cron: '0 0 1 1 *', run: `seq -f 'line %.0f ${HOSTILE}' 50000` },
  module: { cron: '0 0 1 1 *', module: './task.mjs', with: { recipients: [] } },
  asks: {
    cron: '0 0 1 1 *',
    enabled: false,
    params: {
      day: { type: 'string', required: true, description: HOSTILE },
      n: { type: 'integer', default: 3 },
    },
    run: 'echo "day $TSCHED_PARAM_DAY of $TSCHED_PARAM_N"',
  },
};

const why = whyNoBrowser();
const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let browser: Browser;
let daemon: Daemon;
let origin: string;
let page: Page;
let wrong: string[];

/** A run a day for 300 days: every tenth failed, every 25th timed out, and two days ago there were two skips. */
async function fill(path: string): Promise<void> {
  mkdirSync(path, { mode: 0o700 });
  const store = await openSqliteStore({
    path: join(path, 'tsched.db'),
    clock: systemClock,
    retention: { keep: 1000 },
    onHealth: () => undefined,
    onPruned: () => undefined,
    reclaim: () => undefined,
  });
  const idAt = runIds((bytes) => bytes.fill(7));
  const runs = Array.from({ length: 300 }, (_, index) => runOf(299 - index, idAt));
  // On the same day.
  const at = DUE - DAY + (HOUR < 12 ? DAY / 4 : -DAY / 4);
  const skip = {
    jobId: 'yearly',
    scheduledAt: at,
    through: at + 1,
    count: 2,
    reason: 'overlap',
    at,
  } as const;
  await store.claim(runs, [skip]);
  await Promise.all(runs.map((run) => store.save(run)));
  await store.close();
}

function runOf(ago: number, idAt: (at: number) => string): RunRecord {
  const startedAt = DUE - ago * DAY;
  const outcome = outcomeOf(ago);
  const finishedAt = startedAt + (outcome.kind === 'timed_out' ? 2_700_000 : 60_000 + ago * 1000);
  const attempts = [{ number: 1, startedAt, finishedAt, duration: finishedAt - startedAt, outcome }];
  const times = { scheduledAt: startedAt, claimedAt: startedAt, finishedAt };
  return {
    id: idAt(startedAt),
    jobId: 'yearly',
    cause: 'schedule',
    state: 'finished',
    attempts,
    outcome,
    ...times,
  };
}

function outcomeOf(ago: number): Outcome {
  if (ago % 25 === 24) return { kind: 'timed_out', after: 2_700_000 };
  return ago % 10 === 3 ? { kind: 'failed', exitCode: 9 } : { kind: 'succeeded' };
}

beforeAll(async () => {
  if (why !== undefined) return;
  const where = directory(later);
  writeFileSync(join(where, 'task.mjs'), 'export default () => {};');
  await fill(join(where, 'state'));
  const text = JSON.stringify({ history: { max_age: 'none' }, jobs: JOBS });
  daemon = await startAsked({
    jobs: text,
    directory: where,
    args: ['--listen', '127.0.0.1:0', '--no-watch'],
    later,
  });
  origin = `http://127.0.0.1:${portOf(daemon).port}`;
  const token = tsched(['token', 'create', 'me', '--scope', 'admin', '--state-dir', daemon.stateDirectory]);
  browser = await launch();
  later(() => browser.close());
  ({ page, wrong } = await open(browser, origin, { viewport: { width: 1280, height: 900 } }));
  await logIn(page, origin, token.out.trim());
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

describe.skipIf(why !== undefined)('the jobs', () => {
  it('show how long they take, and are found by tag, state and order, by an address', async () => {
    await page.goto(`${origin}/#/jobs`);
    const row = page.getByRole('row').filter({ hasText: 'yearly' });
    const points = (await row.locator('.spark polyline').getAttribute('points')) ?? '';
    expect(points.split(' ')).toHaveLength(10);
    await expect.poll(() => row.locator('.takes').innerText()).toMatch(/1 m 05 s/);
    await expect.poll(() => row.locator('.dots i.bad').count()).toBe(1);
    await page.getByRole('button', { name: 'nightly' }).click();
    await page.getByText('1 of 5').waitFor();
    await page.getByLabel('State').selectOption('failing');
    await page.getByText('No job is like that.').waitFor();
    await page.getByLabel('State').selectOption('');
    await page.getByRole('button', { name: 'Last run' }).click();
    await expect.poll(() => page.url()).toContain('tag=nightly&sort=last');
    await page.reload();
    await page.getByText('1 of 5').waitFor();
    expect(wrong).toEqual([]);
  });

  it('are run with arguments, which are checked while they are written', async () => {
    await page.goto(`${origin}/#/jobs`);
    await page.getByRole('button', { name: 'Run with arguments: module' }).click();
    await page.getByText('beside or instead of what its job gives it: recipients').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Run with arguments: yearly' }).click();
    const text = page.getByLabel('Arguments, as JSON');
    const trouble = page.locator('#with-trouble');
    await text.fill('{ "since": ');
    await expect.poll(() => trouble.innerText()).toMatch(/JSON/);
    await text.fill('["since"]');
    await expect.poll(() => trouble.innerText()).toMatch(/values by name/);
    await text.fill(JSON.stringify({ [HOSTILE]: 1 }));
    await expect.poll(() => trouble.innerText()).toBe('');
    await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
    await trouble.getByText(`"${HOSTILE}" is no such name`).waitFor();
    expect(await obstacles()).toEqual([]);
    await text.fill('{ "since": "yesterday" }');
    await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.line').filter({ hasText: 'since yesterday' }).waitFor();
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(why !== undefined)('a job', () => {
  it('is run with what it declares: the defaults are there, what is missing is told', async () => {
    await page.goto(`${origin}/#/jobs/asks`);
    await page.getByRole('button', { name: 'Run with arguments: asks' }).click();
    const text = page.getByLabel('Arguments, as JSON');
    expect(JSON.parse(await text.inputValue())).toEqual({ day: null, n: 3 });
    await page.getByRole('dialog').getByText(`day string ${HOSTILE}`).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
    await page.locator('#with-trouble').getByText('"day" takes text, not null').waitFor();
    await text.fill('{ "day": "Monday" }');
    await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.line').filter({ hasText: 'day Monday of 3' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('tells why a slot ran or did not', async () => {
    await page.goto(`${origin}/#/jobs/yearly`);
    const slot = page.locator('.history li').filter({ hasText: 'failed with exit code 9' }).first();
    await slot.getByRole('button', { name: /^Why/ }).click();
    await slot.getByText(/it ran on time .*; it failed with exit code 9 after/).waitFor();
    await slot.getByRole('button', { name: /^Why/ }).click();
    await expect.poll(() => slot.locator('.why').count()).toBe(0);
    expect(await obstacles()).toEqual([]);
  });

  it('has a calendar that is read and walked without colours or a pointer', async () => {
    await page.goto(`${origin}/#/jobs/yearly`);
    await page.locator('.days .bad').first().waitFor();
    await expect.poll(() => page.locator('.days .bad').count()).toBe(30 + 12);
    const label = (ago: number, told: string): Promise<void> =>
      page
        .locator('.days')
        .getByLabel(`${dayWords(DUE - ago * DAY)}: ${told}`, { exact: true })
        .waitFor();
    await label(0, '1 succeeded');
    await label(1, '1 succeeded, 2 skipped');
    await label(3, '1 failed');
    await page.locator('.days [tabindex="0"]').focus();
    const caption = page.locator('.calendar figcaption');
    // Four, unless midnight has come since these tests began.
    const back = Math.floor(Date.now() / DAY) - Math.floor(DUE / DAY) + 3;
    for (let step = 0; step < back; step += 1) await page.keyboard.press('ArrowUp');
    await expect.poll(() => caption.innerText()).toBe(`${dayWords(DUE + DAY - 4 * DAY)}: 1 failed`);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => caption.innerText()).toBe(`${dayWords(DUE + DAY - 11 * DAY)}: 1 succeeded`);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const history = page.locator('.history li');
    await expect.poll(() => history.count()).toBe(1);
    await expect.poll(() => history.innerText()).toContain('failed with exit code 9');
    await expect
      .poll(() => page.url())
      .toContain(`day=${new Date(DUE - 3 * DAY).toISOString().slice(0, 10)}`);
    await page.reload();
    await history.filter({ hasText: 'failed with exit code 9' }).waitFor();
    await page.locator('.tag').filter({ hasText: '×' }).click();
    await expect.poll(() => history.count()).toBe(25);
    await history.filter({ hasText: '2 slots: the run before had not ended' }).waitFor();
    await page.getByRole('button', { name: /^Show 30\d$/ }).click();
    await expect.poll(() => history.count()).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });

  it('tells which run a point is, and goes there', async () => {
    await page.goto(`${origin}/#/jobs/yearly`);
    await page.locator('.u-over').scrollIntoViewIfNeeded();
    const box = await page.locator('.u-over').boundingBox();
    if (box === null) throw new Error('nothing is drawn');
    const caption = page.locator('figure', { has: page.locator('.plot') }).locator('figcaption');
    await expect.poll(() => caption.innerText()).toMatch(/p50 .*, p95 .*, time-out 45 m/);
    // On the time-out line, which is the highest there is, lie the runs that timed out.
    const isThere = async (): Promise<boolean> =>
      (await caption.innerText()).includes('timed out after 45 m');
    for (let x = 0; x < box.width && !(await isThere()); x += 6) await page.mouse.move(box.x + x, box.y + 12);
    await expect.poll(() => caption.innerText()).toContain('timed out after 45 m');
    await page.mouse.down();
    await page.mouse.up();
    await page.locator('.title').getByText('timed out after 45 m').waitFor();
    await expect.poll(() => page.url()).toContain('#/runs/');
    expect(wrong).toEqual([]);
  });

  it('marks what a clock change touches among its next ten times', async () => {
    await page.goto(`${origin}/#/jobs/changes`);
    await page.locator('.times li').first().waitFor();
    await expect.poll(() => page.locator('.times li').count()).toBe(10);
    await expect.poll(() => page.locator('.times li.noted em').count()).toBe(10);
    await page.getByText('jobs.yaml:1').first().waitFor();
  });
});

describe.skipIf(why !== undefined)('a run', () => {
  it('has an address for each line and range, which holds after a reload', async () => {
    await page.goto(`${origin}/#/jobs/lines`);
    await page.getByRole('button', { name: 'Run now: lines' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.title').getByText('succeeded').waitFor();
    // It may have been over before it was watched.
    await page.getByLabel('Follow').check();
    await page.locator('.line').filter({ hasText: 'line 50000 ' }).waitFor();
    const number = (line: number) => page.locator('.line .number').getByText(`${line}`, { exact: true });
    await number(49_990).click();
    await number(49_993).click({ modifiers: ['Shift'] });
    await expect.poll(() => page.url()).toMatch(/attempt=1&lines=49990-49993$/);
    await expect.poll(() => page.locator('.line.marked').count()).toBe(4);
    await page.goto(page.url().replace('49990-49993', '30000'));
    await page.reload();
    const marked = page.locator('.line.marked');
    await marked.filter({ hasText: `line 30000 ${HOSTILE}` }).waitFor();
    const [inside, screen] = await Promise.all([marked.boundingBox(), page.locator('.screen').boundingBox()]);
    expect(inside?.y).toBeGreaterThan(screen?.y ?? Infinity);
    expect(inside?.y).toBeLessThan((screen?.y ?? 0) + (screen?.height ?? 0));
    // By keys alone: a line that was searched for is the one of the address.
    await page.keyboard.press('/');
    await page.keyboard.type('line 4000');
    await page.keyboard.press('Enter');
    await page.locator('.line.hit').filter({ hasText: 'line 40000 ' }).waitFor();
    await expect.poll(() => page.url()).toMatch(/lines=40000$/);
    expect(await page.locator('.screen img').count()).toBe(0);
    expect(await obstacles()).toEqual([]);
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(why !== undefined)('the job file', () => {
  it('tells what a reload would change, and reloads', async () => {
    await page.goto(`${origin}/#/file`);
    const { yearly: _, ...rest } = JOBS;
    const changed = { ...rest, lines: { ...rest.lines, timeout: '1h' }, fresh: { every: '1h', run: 'true' } };
    writeFileSync(daemon.file, JSON.stringify({ jobs: changed }));
    await page.getByRole('button', { name: 'What would it change?' }).click();
    for (const told of [/1 added.*fresh/, /1 changed.*lines/, /1 removed.*yearly/, /3 unchanged/]) {
      await page.locator('.terms div').filter({ hasText: told }).waitFor();
    }
    expect(await obstacles()).toEqual([]);
    await page.getByRole('button', { name: 'Reload now' }).click();
    await daemon.waitFor('the reload', ({ event }) => event === 'jobs_applied');
    await page.goto(`${origin}/#/jobs`);
    await page.getByRole('row').filter({ hasText: 'fresh' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('shows a mistake with its frame', async () => {
    await page.goto(`${origin}/#/file`);
    await page.getByLabel('Text of a job file').fill('jobs:\n  b:\n    run: x\n    evry: 1m\n');
    await page.getByRole('button', { name: 'Check' }).click();
    const frame = page.locator('li.error pre');
    await frame.waitFor();
    await expect
      .poll(() => frame.innerText())
      .toMatch(/> 4 │ {5}evry: 1m\n {4}│ {5}\^\^\^\^ did you mean "every"\?/);
    writeFileSync(daemon.file, 'jobs: { a: { run: x, evry: 1m } }');
    await page.getByRole('button', { name: 'What would it change?' }).click();
    await page
      .locator('li.error pre')
      .filter({ hasText: '> 1 │ jobs: { a: { run: x, evry: 1m } }' })
      .waitFor();
    expect(await obstacles()).toEqual([]);
  });

  it('is served with the notices of what the page is made of', async () => {
    const response = await page.request.get(`${origin}/assets/licenses.txt`);
    expect(await response.text()).toMatch(/preact.*MIT[^]*uplot.*MIT[^]*Permission is hereby granted/);
    expect(readFileSync(join(import.meta.dirname, '../../dist/licenses.txt'), 'utf8')).toMatch(
      /^yaml .*ISC/m,
    );
  });
});

function dayWords(at: number): string {
  const options = {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  } as const;
  return new Intl.DateTimeFormat('en-US', options).format(at);
}

/** What would keep people from using what is shown, in light and dark. */
async function obstacles(): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    found.push(
      ...(await page.evaluate<string[]>(
        `${axe.source}; axe.run().then(({ violations }) => violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ').slice(0, 300)))`,
      )),
    );
  }
  return found;
}
