import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  canonicalZone,
  checkZone,
  fromNominal,
  intlSource,
  setOffsetSource,
  Zone,
  zoneOf,
} from '../../src/schedule/zone.ts';
import { cronTrigger } from '../../src/schedule/trigger.ts';
import { readWall } from '../support/cron-oracle.ts';

const DAY = 86_400_000;
const ZONES = [
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Africa/Casablanca',
  'Antarctica/Troll',
  'America/Sao_Paulo',
  'Africa/Monrovia',
  'UTC',
];

describe('checkZone', () => {
  it.each([
    'UTC',
    'Europe/Berlin',
    'europe/berlin',
    'EST5EDT',
    'US/Eastern',
    'Asia/Kolkata',
    'Asia/Calcutta',
    'Europe/Kyiv',
    'Etc/GMT-2',
    'America/Argentina/Buenos_Aires',
    'CET',
    'GMT',
  ])('takes %s', (name) => {
    expect(checkZone(name)).toBeUndefined();
    expect(() => new Zone(canonicalZone(name) ?? '').at(0)).not.toThrow();
  });

  it.each<[string, RegExp]>([
    ['Mars/X', /IANA name/],
    ['Europe/Berln', /did you mean Europe\/Berlin\?/],
    ['Berlin', /did you mean Europe\/Berlin\?/],
    ['Europe/Shanghai', /did you mean Asia\/Shanghai\?/],
    ['Sao Paulo', /did you mean America\/Sao_Paulo\?/],
    ['UTC+2', /an offset does not follow clock changes/],
    ['+02:00', /an offset does not follow clock changes/],
    ['GMT-5', /an offset does not follow clock changes/],
    ['local', /leave `timezone:` away/],
    ['system', /leave `timezone:` away/],
    ['PST', /may mean several zones/],
    ['CEST', /may mean several zones/],
    ['../../etc/passwd', /IANA name/],
    ['/etc/localtime', /IANA name/],
    [':Europe/Berlin', /did you mean Europe\/Berlin\?/],
    ['', /IANA name/],
    ['x'.repeat(10_000), /IANA name/],
    ['Europe/Berlin\n', /did you mean Europe\/Berlin\?/],
  ])('refuses %j', (name, hint) => {
    const problem = checkZone(name);
    expect(problem?.message).toMatch(/^unknown time zone "/);
    expect(problem?.message.length).toBeLessThan(100);
    expect(problem?.hint).toMatch(hint);
  });

  it('canonicalises the case of letters', () => {
    expect(canonicalZone('europe/BERLIN')).toBe('Europe/Berlin');
    expect(canonicalZone('utc')).toBe('UTC');
    expect(canonicalZone('Europe/Kyiv')).toBe('Europe/Kyiv');
  });
});

describe('spans', () => {
  it('give the offset Intl gives, and their bounds are where it changes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.integer({ min: Date.UTC(1965, 0, 1), max: Date.UTC(2060, 0, 1) }),
        (name, instant) => {
          const zone = new Zone(name);
          const span = zone.at(instant);
          const offset = (at: number): number => readWall(name, at) - at;
          expect(span.from <= instant && instant < span.until).toBe(true);
          expect(offset(Math.floor(instant / 1000) * 1000)).toBe(span.offset);
          // Bounds of blocks are bounds of spans too; a change is where the offset differs from the second before.
          const known = Number.isFinite(span.changedAt) ? [span.changedAt] : [];
          for (const at of known) expect([offset(at - 1000), offset(at)]).toEqual([span.before, span.offset]);
          const bounds = [span.from, span.until].filter((at) => Number.isFinite(at));
          for (const at of bounds) expect(zone.at(at).offset).toBe(offset(at));
          const changes = bounds.filter((at) => offset(at - 1000) !== offset(at));
          for (const at of changes) expect(zone.at(at).changedAt).toBe(at);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are the same whatever was asked before', () => {
    const walked = new Zone('Africa/Casablanca');
    for (let at = Date.UTC(2024, 0, 1); at < Date.UTC(2027, 0, 1); at += DAY / 2) {
      expect(walked.at(at)).toEqual(new Zone('Africa/Casablanca').at(at));
    }
  });

  it('reach from end to end of time', () => {
    const zone = new Zone('Europe/Berlin');
    for (const instant of [-8.64e15, -1, 0, 8.64e15]) expect(zone.at(instant).until).toBeGreaterThan(instant);
    const earliest = zone.at(Date.UTC(1800, 0, 1)).offset;
    for (const year of ['-000500', '0000', '0050', '0100']) {
      expect(zone.at(Date.parse(`${year}-06-01T00:00:00Z`)).offset).toBe(earliest);
      expect(new Zone('America/New_York').at(Date.parse(`${year}-06-01T00:00:00Z`)).offset).toBe(-17_762_000);
    }
    // Asked for as it is, this year takes Intl a minute.
    expect(zone.at(Date.UTC(275_000, 6, 1)).offset).toBe(2 * 3_600_000);
    expect(zone.at(Date.UTC(275_000, 0, 1)).offset).toBe(3_600_000);
  });
});

describe('fromNominal', () => {
  const reading = (zone: string, local: string): unknown =>
    fromNominal(new Zone(zone), Date.parse(`${local}Z`));

  it('finds a wall-clock time once, twice or never', () => {
    expect(reading('Europe/Berlin', '2026-07-01T12:00')).toEqual({
      kind: 'once',
      instant: Date.parse('2026-07-01T10:00Z'),
    });
    expect(reading('Europe/Berlin', '2026-10-25T02:30')).toEqual({
      kind: 'twice',
      first: Date.parse('2026-10-25T00:30Z'),
      second: Date.parse('2026-10-25T01:30Z'),
      changedAt: Date.parse('2026-10-25T01:00Z'),
    });
    expect(reading('Europe/Berlin', '2027-03-28T02:30')).toMatchObject({
      kind: 'never',
      shifted: Date.parse('2027-03-28T01:30Z'),
    });
    expect(reading('Pacific/Apia', '2011-12-30T12:00')).toMatchObject({
      kind: 'never',
      shifted: Date.parse('2011-12-30T22:00Z'),
    });
    expect(reading('UTC', '2026-10-25T02:30')).toMatchObject({ kind: 'once' });
  });

  it('is the inverse of the wall clock', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.integer({ min: 0, max: Date.UTC(2040, 0, 1) / 1000 }),
        (name, seconds) => {
          const found = fromNominal(zoneOf(name), readWall(name, seconds * 1000));
          const instants =
            found.kind === 'once'
              ? [found.instant]
              : found.kind === 'twice'
                ? [found.first, found.second]
                : [];
          expect(instants).toContain(seconds * 1000);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('setOffsetSource', () => {
  afterEach(() => setOffsetSource(intlSource));

  it('replaces where offsets come from', () => {
    const asked: string[] = [];
    setOffsetSource((timezone, read) => {
      asked.push(timezone);
      return read(() => 2 * 3_600_000);
    });
    expect(cronTrigger('0 12 * * *', { timezone: 'Test/Replaced', dst: {} }, '').next(0)).toBe(
      Date.UTC(1970, 0, 1, 10),
    );
    expect(asked).toContain('Test/Replaced');
  });

  it('is not asked at all for UTC', () => {
    setOffsetSource(() => {
      throw new Error('asked');
    });
    expect(new Zone('UTC').at(0).offset).toBe(0);
    expect(() => new Zone('Test/Other').at(0)).toThrow('asked');
  });
});
