/**
 * Runs the tests and ends with one plain line, `N passed, N failed`, for readers that do not know the test runner's own
 * summary. Arguments are passed on to vitest; so is its exit code.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'tsched-test-'));
const report = join(directory, 'report.json');

const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { status, signal } = spawnSync(
  process.execPath,
  [vitest, 'run', ...reporters, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);

/** A file that cannot even be imported fails no test; it counts as one failure here, as does a runner that died. */
function count(): { passed: number; failed: number } {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    return { passed: numPassedTests, failed: numFailedTests };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

const { passed, failed } = count();
rmSync(directory, { recursive: true, force: true });
if (signal !== null) console.error(`vitest was ended by ${signal}`);
console.log(`${passed} passed, ${status === 0 ? failed : Math.max(failed, 1)} failed`);
process.exitCode = status ?? 1;
