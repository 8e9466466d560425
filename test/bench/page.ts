/**
 * How soon the page shows what it is asked for, in a real Chromium: 1,000 jobs and 100,000 runs of history behind it. From the start of the
 * navigation to the frame in which the view is there, and from a key to the frame that answers it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launch, logIn, whyNoBrowser } from '../web/browser.ts';
import { seed } from './seeded.ts';

const bin = join(import.meta.dirname, '../../bin/tsched.js');
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Rig {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly origin: string;
  readonly token: string;
}

async function start({ jobs, runs }: { jobs: number; runs: number }): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-bench-'));
  seed(directory, { jobs, runs, now: Date.now(), seed: 7 });
  const state = ['--state-dir', join(directory, 'state')];
  const args = ['start', 'jobs.yaml', ...state, '--listen', '127.0.0.1:0', '--log-level', 'crit'];
  const child = spawn(process.execPath, [bin, ...args], { cwd: directory, stdio: 'inherit' });
  const create = ['token', 'create', 'bench', '--scope', 'run', ...state];
  const token = spawnSync(process.execPath, [bin, ...create], { encoding: 'utf8' }).stdout.trim();
  for (let tries = 0; tries < 400; tries += 1) {
    await wait(50);
    const path = join(directory, 'state/daemon.json');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const { listen } = JSON.parse(text === '' ? '{}' : text) as { listen?: string };
    if (listen !== undefined) return { child, directory, origin: `http://${listen}`, token };
  }
  throw new Error('the daemon does not listen');
}

/** What is there once a view is. */
const VIEWS = [
  { name: 'overview, its counters', path: '/', sign: '.counters b' },
  { name: 'overview, with what comes next', path: '/', sign: '.coming' },
  { name: 'overview, with its charts', path: '/', sign: '.bars path.p50' },
  { name: 'jobs', path: '/jobs', sign: 'tbody tr:nth-child(100)' },
  { name: 'timeline', path: '/timeline', sign: '.rows .id' },
] as const;

/** Milliseconds from the start of the navigation to the frame after the sign came. */
async function appears(page: Page, url: string, sign: string): Promise<number> {
  await page.goto(url);
  await page.reload({ waitUntil: 'commit' });
  return page.evaluate<number>(
    `new Promise((resolve) => {
      const look = () => document.querySelector(${JSON.stringify(sign)}) === null
        ? requestAnimationFrame(look)
        : requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
      look();
    })`,
  );
}

/** For each key typed into the search, from the event to the end of the frame that answers it. */
async function keys(page: Page, text: string): Promise<number[]> {
  await page.evaluate(
    `{
      window.took = [];
      document.addEventListener('keydown', ({ timeStamp }) =>
        requestAnimationFrame(() => setTimeout(() => took.push(performance.now() - timeStamp))), true);
    }`,
  );
  await page.locator('#search').focus();
  for (const key of text) {
    await page.keyboard.press(key === '<' ? 'Backspace' : key);
    await wait(60);
  }
  return page.evaluate<number[]>('took');
}

function of(figures: readonly number[]): object {
  const sorted = [...figures].sort((one, other) => one - other);
  const at = (part: number): number =>
    Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN);
  return { times: figures.length, 'median ms': at(0.5), 'worst ms': at(1) };
}

/** CPU time of the daemon, in ms. */
function cpuOf({ child }: Rig): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What a view costs tells more than how soon it is there, where others use the machine too. */
async function views(page: Page, rig: Rig, times: number): Promise<object[]> {
  const rows: object[] = [];
  for (const { name, path, sign } of VIEWS) {
    const took: number[] = [];
    const cpu = cpuOf(rig);
    for (let n = 0; n < times; n += 1) took.push(await appears(page, `${rig.origin}/#${path}`, sign));
    rows.push({
      what: `${name}: is there`,
      ...of(took),
      'daemon cpu ms': Math.round((cpuOf(rig) - cpu) / times),
    });
  }
  return rows;
}

async function measure(browser: Browser, rig: Rig, times: number): Promise<object[]> {
  const { origin, token } = rig;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await logIn(page, origin, token);
  const rows = await views(page, rig, times);
  for (const view of ['jobs', 'timeline']) {
    await appears(page, `${origin}/#/${view}`, '.id');
    rows.push({
      what: `${view}: a key in the search`,
      ...of(await keys(page, 'backup-00<<<<mail 1<<<<<<sync')),
    });
  }
  await appears(page, `${origin}/#/timeline`, '.rows .id');
  await page.evaluate("document.querySelector('.gantt').focus()");
  rows.push({ what: 'timeline: a key that zooms', ...of(await zooms(page, times * 4)) });
  await context.close();
  return rows;
}

async function zooms(page: Page, times: number): Promise<number[]> {
  await page.evaluate(
    `{
      window.took = [];
      document.addEventListener('keydown', ({ timeStamp }) =>
        requestAnimationFrame(() => setTimeout(() => took.push(performance.now() - timeStamp))), true);
    }`,
  );
  for (let n = 0; n < times; n += 1) {
    await page.keyboard.press(n % 8 < 4 ? '-' : '+');
    await wait(100);
  }
  return page.evaluate<number[]>('took');
}

/** Prints the table; `smoke` only proves that it can be made. */
export async function run({ smoke }: { smoke: boolean }): Promise<void> {
  const why = whyNoBrowser();
  if (why !== undefined) return console.log(`not measured: ${why}`);
  const size = smoke ? { jobs: 150, runs: 1000 } : { jobs: 1000, runs: 100_000 };
  const rig = await start(size);
  const browser = await launch();
  try {
    const rows = await measure(browser, rig, smoke ? 1 : 10);
    console.log(
      `\n${size.jobs} jobs, ${size.runs} runs of history; load of the machine ${loadavg()[0]?.toFixed(1)}`,
    );
    console.table(rows);
  } finally {
    await browser.close();
    const ended = new Promise((resolve) => rig.child.once('close', resolve));
    rig.child.kill('SIGTERM');
    await ended;
    rmSync(rig.directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await run({ smoke: process.argv.includes('--smoke') });
