/** The page of a run in parts, in a real browser. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tsched } from '../cli/tsched.ts';
import { portOf, startAsked } from '../http/support.ts';
import { directory } from '../support/daemon.ts';
import { launch, logIn, open, whyNoBrowser } from './browser.ts';

const TASK =
  'echo "this is $TSCHED_MATRIX_REGION"; while [ ! -e go ]; do sleep 0.05; done; [ $TSCHED_SHARD_INDEX = 0 ]';

describe.skipIf(whyNoBrowser() !== undefined)('a run in parts', () => {
  it('tells how far each part is as it goes, and what each printed', async () => {
    const where = directory();
    const job = { cron: '0 0 1 1 *', matrix: { region: ['eu', 'us'] }, run: TASK };
    const daemon = await startAsked({
      directory: where,
      jobs: JSON.stringify({ jobs: { parts: job } }),
      args: ['--listen', '127.0.0.1:0'],
    });
    const state = ['--state-dir', daemon.stateDirectory];
    const token = tsched(['token', 'create', 'me', '--scope', 'admin', ...state]);
    const browser = await launch();
    try {
      const origin = `http://127.0.0.1:${portOf(daemon).port}`;
      const { page, wrong } = await open(browser, origin, { viewport: { width: 1280, height: 900 } });
      await logIn(page, origin, token.out.trim());
      const { id } = JSON.parse(tsched(['trigger', 'parts', '--json', ...state]).out) as { id: string };
      await page.goto(`${origin}/#/runs/${id}`);
      await page.getByText('us running').waitFor();
      writeFileSync(join(where, 'go'), '');
      await page.getByText('us failed with exit code 1').waitFor();
      await page.getByText('eu succeeded').waitFor();
      await page.getByRole('link', { name: 'Shard 1' }).click();
      await page.getByText('this is us').waitFor();
      expect(await page.getByRole('button', { name: 'Run again' }).count()).toBe(0);
      expect(wrong).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
