import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { PATIENCE } from './test/support/patience.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/setup.ts'],
    exclude: ['test/fixtures/**', 'node_modules/**'],
    // Processes, not threads: tests set process.env.TZ, send signals and change directory; a thread can do none of these.
    pool: 'forks',
    // Most of them wait most of the time. By itself vitest leaves a core to itself, and would take one file after another on two.
    maxWorkers: Math.max(availableParallelism(), 2),
    // Real processes are started all over the suite; a slow machine must not turn a wait into a failure. Each wait within a test
    // ends before, by test/support/patience.ts, and says for what it waited.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: PATIENCE, interval: 20 } },
    // The tests that need the built command find it in dist/ (npm test builds it first).
    env: { NO_COLOR: '1' },
  },
});
