/** The page as people use it: a real daemon, a real browser, clicks. */
import axe from 'axe-core';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { portOf, startAsked } from '../http/support.ts';
import { directory, type Daemon, type Later } from '../support/daemon.ts';
import { freePort } from '../support/port.ts';
import { launch, logIn, open, whyNoBrowser } from './browser.ts';

const HOSTILE = '<img src=x onerror=alert(1)></script><script>alert(2)</script>';
const LINES = 100_000;

const JOBS = {
  often: { cron: '*/2 * * * * *', run: 'true' },
  rests: { cron: '0 0 1 1 *', description: 'Is paused and resumed', run: 'echo it ran' },
  waits: {
    cron: '0 0 1 1 *',
    run: 'echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done',
    on_shutdown: 'terminate',
  },
  fails: {
    cron: '0 0 1 1 *',
    run: 'echo "attempt $TSCHED_ATTEMPT"; exit 3',
    retry: { limit: 1, delay: '1ms' },
  },
  hostile: {
    cron: '0 0 1 1 *',
    description: HOSTILE,
    tags: ['<b>tag</b>'],
    run: `printf '\\033[31mred\\033[0m %s\\033]0;title\\007\\n' '${HOSTILE}'; seq -f 'line %.0f <i onmouseover=alert(3)>' ${LINES}`,
  },
};

const why = whyNoBrowser();
if (why !== undefined) console.warn(`the page is not tested: ${why}`);

const cleanups: (() => Promise<void> | void)[] = [];
const later: Later = (cleanup) => void cleanups.push(cleanup);
let browser: Browser;

beforeAll(async () => {
  if (why !== undefined) return;
  browser = await launch();
  later(() => browser.close());
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface Served {
  readonly daemon: Daemon;
  readonly origin: string;
  readonly tokens: Readonly<Record<'read' | 'run' | 'admin', string>>;
}

async function serve(options: {
  jobs?: string;
  file?: string;
  directory?: string;
  port?: number;
}): Promise<Served> {
  const { port = 0, ...rest } = options;
  const daemon = await startAsked({ ...rest, args: ['--listen', `127.0.0.1:${port}`], later });
  const token = (scope: string): string =>
    tsched(['token', 'create', scope, '--scope', scope, '--state-dir', daemon.stateDirectory]).out.trim();
  return {
    daemon,
    origin: `http://127.0.0.1:${portOf(daemon).port}`,
    tokens: { read: token('read'), run: token('run'), admin: token('admin') },
  };
}

describe.skipIf(why !== undefined)('the page of a fresh daemon', () => {
  it('shows the example jobs, counts down, and shows a run without being loaded again', async () => {
    const { origin, tokens } = await serve({ file: join(import.meta.dirname, '../../jobs.example.yaml') });
    const { page, wrong } = await open(browser, origin);
    await logIn(page, origin, tokens.run);
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.getByRole('row').filter({ hasText: 'morning-report' }).waitFor();
    await expect.poll(() => page.getByRole('row').count()).toBe(1 + 8);
    const next = page.getByRole('row').filter({ hasText: 'morning-report' }).locator('.next');
    const before = await next.innerText();
    expect(before).toMatch(/^in \d/);
    await page.goto(`${origin}/#/jobs/greeted`);
    await page.locator('.facts').filter({ hasText: 'Follows' }).getByRole('link', { name: 'greet' }).click();
    await page
      .locator('.facts')
      .filter({ hasText: 'Waited for by' })
      .getByRole('link', { name: 'greeted' })
      .waitFor();
    await page.goto(`${origin}/#/jobs/heartbeat`);
    const runs = page.locator('.history li');
    await runs.filter({ hasText: 'succeeded' }).first().waitFor();
    const shown = await runs.count();
    await expect.poll(() => runs.count()).toBeGreaterThan(shown);
    const seconds = page.locator('.facts .countdown');
    const first = await seconds.innerText();
    await expect.poll(() => seconds.innerText()).not.toBe(first);
    expect(wrong).toEqual([]);
    await page.context().close();
  });
});

/** The next daemon of the same directory, at the same port. */
function restarted({ daemon, origin }: Served): Promise<Daemon> {
  const args = ['--listen', `127.0.0.1:${new URL(origin).port}`];
  return startAsked({ directory: daemon.directory, args, later });
}

describe.skipIf(why !== undefined)('an operator', () => {
  let served: Served;
  let page: Page;
  let wrong: string[];

  beforeAll(async () => {
    const port = await freePort();
    served = await serve({ jobs: JSON.stringify({ jobs: JOBS }), directory: directory(later), port });
    ({ page, wrong } = await open(browser, served.origin, { viewport: { width: 1280, height: 800 } }));
    await logIn(page, served.origin, served.tokens.run);
  });

  it('pauses, resumes, runs, watches, cancels and runs again, by click', async () => {
    await page.goto(`${served.origin}/#/jobs`);
    await page.getByRole('button', { name: 'Pause rests' }).click();
    await page.getByLabel('Why').fill('until the move is over');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    const row = page.getByRole('row').filter({ hasText: 'rests' });
    await row.getByText('paused', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Resume rests' }).click();
    await page.getByRole('button', { name: 'Pause rests' }).waitFor();

    await page.getByRole('button', { name: 'Run now: waits' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.line').filter({ hasText: 'begun' }).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.title').getByText('cancelled (operator)').waitFor();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.title').getByText('cancelled (operator)').waitFor();
    await served.daemon.until('both ends', () => served.daemon.events('run_finished', 'waits').length === 2);
    expect(wrong).toEqual([]);
  });

  it('sees each attempt and its output, and the failure on the overview', async () => {
    await page.goto(`${served.origin}/#/jobs/fails`);
    await page.getByRole('button', { name: 'Run now: fails' }).click();
    await page.locator('.history a').filter({ hasText: 'failed with exit code 3' }).click();
    await page.locator('.line').filter({ hasText: 'attempt 2' }).waitFor();
    await page.getByRole('tab', { name: /Attempt 1/ }).click();
    await page.locator('.line').filter({ hasText: 'attempt 1' }).waitFor();
    await expect.poll(() => page.url()).toContain('?attempt=1');
    await page.goto(`${served.origin}/#/`);
    await page.locator('.failure').filter({ hasText: 'failed with exit code 3' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('is safe from what jobs are called and print, however much', async () => {
    await page.goto(`${served.origin}/#/jobs?q=hostile`);
    await page.getByText(HOSTILE).waitFor();
    await page.getByRole('button', { name: 'Run now: hostile' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.title').getByText('succeeded').waitFor();
    // It may have been over before it was watched: then its first lines are shown.
    await page.getByLabel('Follow').check();
    await page
      .locator('.line')
      .filter({ hasText: `line ${LINES} ` })
      .waitFor();
    await page.getByLabel('Search output').fill('onerror');
    await page.locator('.line.hit').filter({ hasText: HOSTILE }).waitFor();
    await expect.poll(() => page.locator('.line.hit .red').innerText()).toBe('red');
    await page.getByLabel('Search output').fill(`line ${LINES} `);
    await page
      .locator('.line.hit')
      .filter({ hasText: `line ${LINES} <i` })
      .waitFor();
    // Of a hundred thousand lines those in sight are drawn: nothing else keeps a page quick.
    expect(await page.locator('.line').count()).toBeLessThan(200);
    expect(await page.locator('#app').locator('img[src="x"], script, i[onmouseover]').count()).toBe(0);
    expect(wrong).toEqual([]);
  });

  it('plays with expressions', async () => {
    await page.goto(`${served.origin}/#/file`);
    await page.getByLabel('Cron expression').fill('30 2 * * 0');
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('At 02:30').waitFor();
    await page.getByLabel('Cron expression').fill('61 * * * *');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('.code.bad').filter({ hasText: 'minute' }).waitFor();
    expect(wrong).toEqual([]);
  });

  it('sees a broken edit, with its place, and that it is mended', async () => {
    const admin = await open(browser, served.origin);
    await logIn(admin.page, served.origin, served.tokens.admin);
    await admin.page.goto(`${served.origin}/#/file`);
    await admin.page.getByText('as it runs').waitFor();
    const good = readFileSync(served.daemon.file, 'utf8');
    writeFileSync(served.daemon.file, 'jobs: { a: { run: x, evry: 1m } }');
    await admin.page
      .locator('li.error')
      .filter({ hasText: /1:22[^]*evry[^]*did you mean "every"/ })
      .waitFor();
    writeFileSync(served.daemon.file, good);
    await admin.page.getByText('as it runs').waitFor();
    await admin.page.getByLabel('Text of a job file').fill('jobs: { b: { run: x, every: 1n } }');
    await admin.page.getByRole('button', { name: 'Check' }).click();
    await admin.page.locator('li.error').filter({ hasText: '1:29' }).waitFor();
    expect(admin.wrong).toEqual([]);
    await admin.page.context().close();
  });

  it('finds no serious obstacle in any view', async () => {
    const run = served.daemon.events('run_finished', 'fails')[0]?.run ?? '';
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const [path, sign] of Object.entries({
        '/': '.bars',
        '/jobs': 'table',
        '/jobs/fails': '.history a',
        '/file': '.try',
        [`/runs/${run}`]: '.line',
      })) {
        await page.goto(`${served.origin}/#${path}`);
        await page.locator(sign).first().waitFor();
        const found = await page.evaluate<string[]>(
          `${axe.source}; axe.run().then(({ violations }) => violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ').slice(0, 300)))`,
        );
        expect(found, `${path}, ${colorScheme}`).toEqual([]);
      }
    }
  });

  it('fits a telephone: nothing is wider than it', async () => {
    await page.setViewportSize({ width: 380, height: 780 });
    for (const path of ['/', '/jobs', '/jobs/hostile', '/file']) {
      await page.goto(`${served.origin}/#${path}`);
      await page.locator('main .panel, main table').first().waitFor();
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(
        380,
      );
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('is watched closely: what should not happen would be noticed', async () => {
    const other = await open(browser, served.origin);
    await logIn(other.page, served.origin, served.tokens.read);
    await other.page.evaluate(`{
      const image = document.createElement('img');
      image.src = 'http://127.0.0.1:1/';
      document.body.append(image);
      const script = document.createElement('script');
      script.textContent = 'alert(1)';
      document.body.append(script);
    }`);
    await expect.poll(() => other.wrong.join()).toMatch(/policy: script-src-elem/);
    expect(other.wrong.join()).toMatch(/policy: img-src/);
    await other.page.context().close();
  });

  it('may only look with a token for that', async () => {
    const reader = await open(browser, served.origin);
    await logIn(reader.page, served.origin, served.tokens.read);
    await reader.page.goto(`${served.origin}/#/jobs/rests`);
    await reader.page.getByRole('heading', { name: 'rests' }).waitFor();
    expect(await reader.page.getByRole('button', { name: /Run|Pause|Resume/ }).count()).toBe(0);
    await reader.page.getByRole('button', { name: 'Log out' }).click();
    await reader.page.getByLabel('Token').waitFor();
    await reader.page.context().close();
  });

  it('sees how a run ended while no daemon was there', async () => {
    const { daemon, origin } = served;
    await page.goto(`${origin}/#/jobs/waits`);
    await page.getByRole('button', { name: 'Run now: waits' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await page.locator('.line').filter({ hasText: 'begun' }).waitFor();
    await page.reload(); // no event has told of it
    await page.locator('.title').getByText('running').waitFor();
    daemon.signal('SIGKILL');
    await daemon.exited;
    writeFileSync(join(daemon.directory, 'go'), '');
    await page.getByText('The daemon cannot be reached').waitFor();
    served = { ...served, daemon: await restarted(served) };
    await page.locator('.title').getByText('succeeded').waitFor();
    expect(wrong.filter((what) => !what.startsWith('error: Failed to fetch'))).toEqual([]);
  });

  it('is told when the daemon is gone, and goes on when it is back', async () => {
    await page.goto(`${served.origin}/#/jobs/often`);
    await page.locator('.history li').first().waitFor();
    expect(await served.daemon.stop()).toBe(0);
    await page.getByText('The daemon cannot be reached').waitFor();
    const again = await restarted(served);
    await page.getByText('live', { exact: true }).waitFor();
    expect(await page.getByText('The daemon cannot be reached').count()).toBe(0);
    const { run = '' } = await again.waitFor(
      'a run',
      ({ event, job }) => event === 'run_finished' && job === 'often',
    );
    await page.locator(`.history a[href="#/runs/${run}"]`).waitFor();
    expect(wrong.filter((what) => !what.startsWith('error: Failed to fetch'))).toEqual([]);
  });
});
