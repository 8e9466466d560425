import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { zoneDataWarning } from '../../src/config/zone-data.ts';
import type { JobDefinition } from '../../src/model.ts';
import { job } from '../support/jobs.ts';
import { tzif } from '../support/tzif.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true });
});

/** A system whose zone data are of some version, with files for some zones. */
function system(version: string, zones: Readonly<Record<string, string>> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'tsched-zoneinfo-'));
  made.push(directory);
  writeFileSync(join(directory, 'tzdata.zi'), `# version ${version}\n# ddeps x\nR A 1916 o\n`);
  for (const [name, footer] of Object.entries(zones)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), tzif({ footer }));
  }
  return directory;
}

function daily(timezone: string, more: object = {}): JobDefinition {
  return job(timezone, { cron: '0 9 * * *', ...more, schedule: { timezone } });
}

function warning(
  directory: string,
  jobs: readonly JobDefinition[],
  ours = '2025b',
): Promise<string | undefined> {
  return zoneDataWarning({ directory, ours, now: NOW, jobs });
}

const BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3';
/** A summer without end from 2026 on. */
const NO_WINTER = 'CEST-2';

describe('a system that knows better than Node', () => {
  it('is told of, with the zones that matter and since when', async () => {
    const directory = system('2026c', {
      'Europe/Berlin': NO_WINTER,
      'Asia/Tokyo': 'JST-9',
      'Europe/Rome': BERLIN,
    });
    const jobs = [daily('Asia/Tokyo'), daily('Europe/Berlin'), daily('Europe/Rome')];
    expect(await warning(directory, jobs)).toBe(
      "Node's time zone data is 2025b, this system's 2026c. They differ about Europe/Berlin (from 2026-10-25): " +
        'jobs there run by the older rules until Node is updated',
    );
  });

  it('is found by a change that only the system has', async () => {
    const directory = system('2026a', { 'Asia/Tokyo': 'JST-9JDT,M10.1.0,M11.1.0' });
    expect(await warning(directory, [daily('Asia/Tokyo')])).toContain('Asia/Tokyo (from 2026-10-03)');
  });

  it('names at most ten', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `Etc/GMT-${n + 1}`);
    const directory = system('2026a', Object.fromEntries(names.map((name) => [name, 'AAA11:30'])));
    const text = await warning(
      directory,
      names.map((name) => daily(name)),
    );
    expect(text).toContain('Etc/GMT-10 (from 2026-06-01) and 2 more');
  });
});

describe('nothing is said', () => {
  const wrong = { 'Europe/Berlin': NO_WINTER };

  it.each(['2025b', '2025a', '2024z', 'unknown'])('of a system with version %s', async (version) => {
    expect(await warning(system(version, wrong), [daily('Europe/Berlin')])).toBeUndefined();
  });

  it('where no job is concerned', async () => {
    const directory = system('2026a', { ...wrong, 'Europe/Rome': BERLIN });
    const interval = job('a', { every: 60_000, schedule: { timezone: 'Europe/Berlin' } });
    const asleep = { ...daily('Europe/Berlin'), enabled: false };
    expect(await warning(directory, [interval, asleep, daily('Europe/Rome')])).toBeUndefined();
  });

  it('of zones the system does not have, or has in a form nobody knows', async () => {
    const directory = system('2026a');
    mkdirSync(join(directory, 'Europe'));
    writeFileSync(join(directory, 'Europe/Berlin'), 'TZif of a later age');
    expect(await warning(directory, [daily('Europe/Berlin'), daily('Asia/Tokyo')])).toBeUndefined();
  });

  it('where there is no zone data at all', async () => {
    expect(await warning(join(tmpdir(), 'no such directory'), [daily('Europe/Berlin')])).toBeUndefined();
  });
});

it('reads the version as BSD and macOS keep it', async () => {
  const directory = system('unknown', { 'Europe/Berlin': NO_WINTER });
  writeFileSync(join(directory, '+VERSION'), '2026a\n');
  expect(await warning(directory, [daily('Europe/Berlin')])).toContain("this system's 2026a");
});
