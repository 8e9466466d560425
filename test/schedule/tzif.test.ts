import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseTzif } from '../../src/schedule/tzif.ts';
import { zoneOf } from '../../src/schedule/zone.ts';
import { tzif } from '../support/tzif.ts';

const HOUR = 3_600_000;
const ZONEINFO = '/usr/share/zoneinfo';

function offsets(footer: string, instants: readonly string[]): (number | undefined)[] {
  const table = parseTzif(tzif({ footer }));
  return instants.map((instant) => table && table.offsetAt(Date.parse(instant)) / HOUR);
}

describe('the rule for the years to come', () => {
  it.each<[string, string, [string, number][]]>([
    [
      'north',
      'CET-1CEST,M3.5.0,M10.5.0/3',
      [
        ['2040-03-25T00:59:59Z', 1],
        ['2040-03-25T01:00:00Z', 2],
        ['2040-10-28T00:59:59Z', 2],
        ['2040-10-28T01:00:00Z', 1],
      ],
    ],
    [
      'south, half an hour',
      '<+1030>-10:30<+11>-11,M10.1.0,M4.1.0',
      [
        ['2027-01-01T00:00:00Z', 11],
        ['2027-04-03T14:59:59Z', 11],
        ['2027-04-03T15:00:00Z', 10.5],
        ['2027-10-02T15:30:00Z', 11],
        ['2027-12-31T23:59:59Z', 11],
      ],
    ],
    [
      'summer as the standard (Dublin)',
      'IST-1GMT0,M10.5.0,M3.5.0/1',
      [
        ['2027-01-01T00:00:00Z', 0],
        ['2027-03-28T01:00:00Z', 1],
        ['2027-10-31T01:00:00Z', 0],
      ],
    ],
    [
      'hours beyond the day (Gaza)',
      'EET-2EEST,M3.4.4/50,M10.4.4/50',
      [
        ['2027-03-26T23:59:59Z', 2],
        ['2027-03-27T00:00:00Z', 3],
        ['2027-10-29T23:00:00Z', 2],
      ],
    ],
    [
      'hours before the day (Nuuk)',
      '<-02>2<-01>,M3.5.0/-1,M10.5.0/0',
      [
        ['2027-03-28T00:59:59Z', -2],
        ['2027-03-28T01:00:00Z', -1],
        ['2027-10-31T01:00:00Z', -2],
      ],
    ],
    ['none', 'MSK-3', [['2040-07-01T00:00:00Z', 3]]],
    [
      'days by number',
      'AAA0BBB,J60/0,J300/0',
      [
        ['2028-02-29T23:59:59Z', 0],
        ['2028-03-01T00:00:00Z', 1],
        ['2028-10-26T23:00:00Z', 0],
      ],
    ],
    [
      'days by number from 0, and summer over the new year',
      'AAA0BBB,299/0,59/0',
      [
        ['2028-02-28T22:59:59Z', 1],
        ['2028-02-28T23:00:00Z', 0],
        ['2027-12-31T00:00:00Z', 1],
      ],
    ],
  ])('%s: %s', (_, footer, expected) => {
    expect(
      offsets(
        footer,
        expected.map(([at]) => at),
      ),
    ).toEqual(expected.map(([, offset]) => offset));
  });
});

describe('changes one by one', () => {
  const changes = [
    { at: Date.parse('2020-01-01T00:00:00Z'), offset: 2 * HOUR },
    { at: Date.parse('2021-01-01T00:00:00Z'), offset: -HOUR },
  ];

  it('are taken before the rule, which follows the last of them', () => {
    const table = parseTzif(tzif({ footer: 'AAA-5', changes }));
    const at = (text: string): number | undefined => table && table.offsetAt(Date.parse(text)) / HOUR;
    expect([at('2019-01-01T00:00:00Z'), at('2020-06-01T00:00:00Z')]).toEqual([0, 2]);
    expect([at('2020-12-31T23:59:59Z'), at('2021-01-01T00:00:00Z')]).toEqual([2, 5]);
    const last = parseTzif(tzif({ footer: '', changes }));
    expect(last?.offsetAt(Date.parse('2050-01-01T00:00:00Z'))).toBe(-HOUR);
  });

  it('are told, with those of the rule', () => {
    const table = parseTzif(tzif({ footer: 'CET-1CEST,M3.5.0,M10.5.0/3', changes }));
    const found = table?.changesBetween(
      Date.parse('2020-06-01T00:00:00Z'),
      Date.parse('2022-01-01T00:00:00Z'),
    );
    expect(found?.sort().map((at) => new Date(at).toISOString())).toEqual([
      '2021-01-01T00:00:00.000Z',
      '2021-03-28T01:00:00.000Z',
      '2021-10-31T01:00:00.000Z',
    ]);
  });
});

it('what is no such file, or half of one, is nothing', () => {
  const whole = tzif({ footer: 'CET-1', changes: [{ at: 0, offset: HOUR }] });
  expect(parseTzif(new Uint8Array())).toBeUndefined();
  expect(parseTzif(new TextEncoder().encode('# not a zone\n'.repeat(20)))).toBeUndefined();
  expect(parseTzif(whole.subarray(0, 90))).toBeUndefined();
});

describe.skipIf(!existsSync(join(ZONEINFO, 'Europe/Berlin')))("the system's own files", () => {
  // Zones whose recent past no later edition changed, so that any system agrees with Node about them.
  it.each([
    'Europe/Berlin',
    'Europe/Dublin',
    'America/New_York',
    'America/St_Johns',
    'America/Sao_Paulo',
    'Asia/Tehran',
    'Asia/Kolkata',
    'Africa/Casablanca',
    'Australia/Lord_Howe',
    'Pacific/Chatham',
    'Pacific/Apia',
    'Antarctica/Troll',
  ])('%s is as Node has it, from 1971 to 2023', (name) => {
    const table = parseTzif(readFileSync(join(ZONEINFO, name)));
    const zone = zoneOf(name);
    const from = Date.UTC(1971, 0, 1);
    const until = Date.UTC(2024, 0, 1);
    const changes = [...(table?.changesBetween(from, until) ?? [])];
    for (let span = zone.at(from); span.until < until; span = zone.at(span.until)) changes.push(span.until);
    const differing = changes.filter((at) => table?.offsetAt(at) !== zone.at(at).offset);
    expect(differing.map((at) => new Date(at).toISOString())).toEqual([]);
    expect(table?.offsetAt(from)).toBe(zone.at(from).offset);
  });
});
