import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fitted } from '../../src/cli/fit.ts';
import { bin, plainEnvironment, project } from './tsched.ts';

const TABLE = {
  heading: ['ID', 'WORDS', 'AT'],
  rows: [
    [{ text: 'one' }, { text: 'a good many words', style: 'dim' as const }, { text: '10:00' }],
    [{ text: '時計' }, { text: '時計時計時計' }, { text: '' }],
  ],
};
const GIVEN_UP = [{ column: -1 }, { column: 1, least: 8 }, { column: 2 }, { column: 1, least: 1 }];

describe('a table on a terminal', () => {
  it('is whole where there is room, or no terminal', () => {
    // 4 + 17 + 5, and two blanks between each.
    for (const room of [undefined, 1000, 30])
      expect(fitted(TABLE, room, GIVEN_UP)).toEqual({ ...TABLE, isWhole: true });
  });

  it('gives up what is needed least, and no more than need be', () => {
    const words = (room: number): readonly string[] => {
      const { heading, rows, isWhole } = fitted(TABLE, room, GIVEN_UP);
      expect(isWhole).toBe(false);
      return [heading, ...rows.map((row) => row.map(({ text }) => text))].map((row) => row.join('|'));
    };
    expect(words(29)).toEqual(['ID|WORDS|AT', 'one|a good many wor…|10:00', '時計|時計時計時計|']);
    expect(words(21)).toEqual(['ID|WORDS|AT', 'one|a good…|10:00', '時計|時計時…|']);
    // Without the last column there is room for all of it again; but what was given up is given up.
    expect(words(20)).toEqual(['ID|WORDS', 'one|a good…', '時計|時計時…']);
    // No column is narrower than its name.
    expect(words(11)).toEqual(['ID|WORDS', 'one|a go…', '時計|時計…']);
    expect(words(1)).toEqual(['ID|WORDS', 'one|a go…', '時計|時計…']);
  });
});

it('tsched list fits a narrow terminal, and says how all of it is had', () => {
  const jobs = 'jobs:\n  hello: { cron: "0 9 * * 1-5", description: To say good morning, run: "true" }\n';
  const on = (columns: number): string[] => {
    const line = `stty cols ${columns}; "${process.execPath}" "${bin}" list`;
    const out = execFileSync('script', ['-qec', line, '/dev/null'], {
      encoding: 'utf8',
      cwd: project(jobs),
      env: { ...plainEnvironment(), TERM: 'xterm', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return out.split('\r\n');
  };
  expect(on(200).join('\n')).toMatch(/^hello +At 09:00, Monday through Friday .* To say good morning$/m);
  expect(on(200).join('\n')).not.toContain('too narrow');
  const narrow = on(50);
  expect(narrow.slice(0, 2).filter((line) => line.length > 50)).toEqual([]);
  expect(narrow.join('\n')).toContain(
    'This terminal is too narrow for all of it; in full: tsched list | less -S',
  );
});
