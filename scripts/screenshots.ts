/**
 * Makes the README's pictures, so that they never age: `npm run screenshots`. With `-- DIRECTORY`, pictures of every view go
 * there too: light and dark, on a desk and on a telephone. A real daemon runs a demo by a clock that libfaketime sets; it needs
 * /usr/bin/chromium.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import findFaketime from '../test/support/setup.ts';
import { launch, logIn, open } from '../test/web/browser.ts';
import { makeDemo, NOW, TIMEZONE } from './demo.ts';

const root = join(import.meta.dirname, '..');
const bin = join(root, 'bin/tsched.js');
const docs = join(root, 'docs');
const everything = process.argv[2];

const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 380, height: 780 } } as const;
/** For the README: how high, by view and colours. */
const PICTURES: Readonly<Record<string, number>> = {
  'overview-light': 870,
  'job-light': 800,
  'run-dark': 800,
  'timeline-light': 800,
};

interface Picture {
  readonly name: string;
  readonly path: string;
  /** What is there once the view is complete. */
  readonly sign: string;
}

// Its name is in the pictures.
const directory = join(tmpdir(), 'tsched-demo');
mkdirSync(directory);
const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
try {
  const { file, runId } = await makeDemo(directory);
  const env = { PATH: process.env['PATH'], HOME: directory, TZ: TIMEZONE, ...fakedClock() };
  const state = join(directory, 'state');
  const tsched = (...args: string[]): string =>
    execFileSync(process.execPath, [bin, ...args, '--state-dir', state], { encoding: 'utf8', env });
  const token = tsched('token', 'create', 'demo', '--scope', 'admin').trim();
  const daemon = spawn(
    process.execPath,
    [bin, 'start', file, '--state-dir', state, '--listen', '127.0.0.1:0'],
    { env, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  undo.push(async () => {
    daemon.kill();
    await ended;
  });
  const origin = `http://${await listening(join(state, 'daemon.json'))}`;
  tsched('pause', 'warehouse-sync', '--reason', 'until the move is over');
  const browser = await launch();
  undo.push(() => browser.close());
  // Until something runs, and has run for a while: by then it is the next minute, in which a job is due.
  await pause(35_000);
  const views: Picture[] = [
    { name: 'overview', path: '/', sign: '.running' },
    { name: 'jobs', path: '/jobs', sign: '.spark' },
    { name: 'job', path: '/jobs/nightly-backup', sign: '.history a' },
    { name: 'run', path: `/runs/${runId}?attempt=2&lines=24-26`, sign: '.line' },
    { name: 'timeline', path: '/timeline', sign: '.wide .aside button' },
    { name: 'file', path: '/file', sign: '.try' },
  ];
  mkdirSync(docs, { recursive: true });
  if (everything !== undefined) mkdirSync(everything, { recursive: true });
  await take(browser, { origin, token, views });
} finally {
  for (const step of undo.reverse()) await step();
}

/** By an offset, so that whatever starts later goes by it too. */
function fakedClock(): Record<string, string> {
  findFaketime();
  const library = process.env['TSCHED_TEST_LIBFAKETIME'];
  if (library === undefined) throw new Error('install libfaketime: the pictures have a time of their own');
  const offset = (NOW - Date.now()) / 1000;
  return {
    LD_PRELOAD: library,
    FAKETIME: `${offset < 0 ? '' : '+'}${offset.toFixed(3)}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

async function listening(path: string): Promise<string> {
  for (;;) {
    await pause(100);
    try {
      const { listen } = JSON.parse(readFileSync(path, 'utf8')) as { listen?: string };
      if (listen !== undefined) return listen;
    } catch {
      // It has not written it yet.
    }
  }
}

interface Demo {
  readonly origin: string;
  readonly token: string;
  readonly views: readonly Picture[];
}

async function take(browser: Browser, { origin, token, views }: Demo): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const { page } = await open(browser, origin, {
        viewport,
        colorScheme,
        timezoneId: TIMEZONE,
        locale: 'en-GB',
        reducedMotion: 'reduce',
      });
      if (everything !== undefined) {
        await page.goto(`${origin}/`);
        await page.getByLabel('Token').waitFor();
        await page.screenshot({ path: join(everything, `login-${size}-${colorScheme}.png`) });
      }
      await logIn(page, origin, token);
      for (const view of views) {
        await show(page, origin, view);
        const height = PICTURES[`${view.name}-${colorScheme}`];
        if (size === 'wide' && height !== undefined) {
          await page.setViewportSize({ ...viewport, height });
          await page.screenshot({ path: join(docs, `${view.name}.png`) });
          await page.setViewportSize(viewport);
        }
        if (everything !== undefined) {
          await page.screenshot({
            path: join(everything, `${view.name}-${size}-${colorScheme}.png`),
            fullPage: true,
          });
        }
      }
      await page.context().close();
    }
  }
}

async function show(page: Page, origin: string, { path, sign }: Picture): Promise<void> {
  await page.goto(`${origin}/#${path}`);
  await page.locator(sign).first().waitFor();
  await page.mouse.move(0, 0);
}
