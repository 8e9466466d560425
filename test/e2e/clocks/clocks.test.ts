/**
 * The real daemon on faked clocks (libfaketime). All of it at once: most of the time passes in waiting for a daemon that
 * nothing wakes for 30 s.
 */
import { vi } from 'vitest';
import './steps.ts';
import './changes.ts';
import './restart.ts';
import './timers.ts';

vi.setConfig({ maxConcurrency: 20 });
