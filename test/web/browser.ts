/** A real Chromium, and pages that note whatever should not happen in them. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { PATIENCE } from '../support/patience.ts';

const PATH = '/usr/bin/chromium';

/** Why there is none; undefined where there is one. As root it could be installed, so there it is missed. */
export function whyNoBrowser(): string | undefined {
  if (existsSync(PATH)) return undefined;
  const why = `there is no ${PATH}: apt-get install --no-install-recommends chromium`;
  if (process.getuid?.() === 0) throw new Error(why);
  return why;
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface Watched {
  readonly page: Page;
  /** Errors, dialogs, violations of the policy, requests that left the origin. */
  readonly wrong: string[];
}

export async function open(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // Below a test's own time, so that what was waited for is named.
  page.setDefaultTimeout(PATIENCE);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) wrong.push(`request: ${request.url()}`);
  });
  await page.exposeFunction('noteViolation', (what: string) => void wrong.push(`policy: ${what}`));
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (e) => noteViolation(e.violatedDirective + ' ' + e.blockedURI))",
  );
  return { page, wrong };
}

export async function logIn(page: Page, origin: string, token: string): Promise<void> {
  await page.goto(`${origin}/`);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('live', { exact: true }).waitFor();
}
