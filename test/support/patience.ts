/**
 * How long a test waits for a named thing, in milliseconds: far above what any takes on a machine with much else to do, and below
 * a test's own time (vitest.config.ts), so that what was waited for in vain is named.
 */
export const PATIENCE = 90_000;
