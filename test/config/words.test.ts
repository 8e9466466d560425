import { describe, expect, it } from 'vitest';
import { Files, lines } from './support.ts';

/** A job that is right but for one line, which is line 5. */
function wrong(key: string): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n    ${key}\n`;
}

describe("other tools' words are errors that say ours:", () => {
  it.each([
    ['schedule: x', 'cron'],
    ['tz: UTC', 'timezone'],
    ['timeZone: UTC', 'timezone'],
    ['cmd: x', 'run'],
    ['script: x', 'run'],
    ['args: [x]', 'command'],
    ['working_dir: /', 'cwd'],
    ['working-directory: /', 'cwd'],
    ['workdir: /', 'cwd'],
    ['environment: {}', 'env'],
    ['env-file: x', 'env_file'],
    ['dotenv: x', 'env_file'],
    ['timeout-minutes: 5', 'timeout'],
    ['executionTimeout: 5', 'timeout'],
    ['concurrencyPolicy: Forbid', 'overlap'],
    ['backoffLimit: 5', 'retry'],
    ['catchup: true', 'misfire'],
    ['startingDeadlineSeconds: 5', 'misfire'],
    ['misfire_grace_time: 5', 'misfire'],
    ['Timeout: 5s', 'timeout'],
    ['kill-after: 5s', 'kill_after'],
    ['comand: [x]', 'command'],
  ])('%s', async (key, ours) => {
    using files = new Files();
    const word = key.split(':')[0];
    expect(lines(await files.load(wrong(key)))).toEqual([
      `5:5 error jobs.j.${word}: unknown key "${word}" | did you mean "${ours}"?`,
    ]);
  });

  it.each([
    ['utc: true', 'write timezone: UTC'],
    ['suspend: true', 'write enabled: false'],
    ['depends_on: x', 'write after: to start when others end, or needs: to wait for them at its own times'],
    ['retries: 3', 'write retry: 3, or retry: { limit: 3, delay: 10s }'],
  ])('%s', async (key, hint) => {
    using files = new Files();
    expect(lines(await files.load(wrong(key)))[0]).toContain(` | ${hint}`);
  });
});
