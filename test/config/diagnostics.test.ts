import { describe, expect, it } from 'vitest';
import { formatDiagnostics, summarizeDiagnostics } from '../../src/config/diagnostic.ts';
import { loadJobFile } from '../../src/config/load.ts';
import { Files, found, lines, OPTIONS } from './support.ts';

const TEN_MISTAKES = `timezone: Europe/Berlim
jobs:
  backup:
    cron: */5 * * * *
    run: pg_dump
    retires: 3
    enabled: yes
  report:
    cron: ["0 9 * * 1-5", "*/5"]
    schedule: x
    run: x
    timeout: 90
  report:
    cron: "61 * * * *"
    run: y
  daily:
    cron: @daily
    run: z
    env: { PORT: 8080 }
    cwd: \${NOPE}
`;

const TEN_FRAMES = `jobs.yaml:1:11: error: timezone: unknown time zone "Europe/Berlim"
> 1 │ timezone: Europe/Berlim
    │           ^^^^^^^^^^^^^ did you mean Europe/Berlin?
jobs.yaml:4:11: error: jobs.backup.cron: a cron expression that starts with * must be quoted
  3 │   backup:
> 4 │     cron: */5 * * * *
    │           ^^^^^^^^^^^ write "*/5 * * * *"
jobs.yaml:6:5: error: jobs.backup.retires: unknown key "retires"
  5 │     run: pg_dump
> 6 │     retires: 3
    │     ^^^^^^^ did you mean "retry"?
jobs.yaml:7:14: error: jobs.backup.enabled: yes is text in YAML 1.2
  6 │     retires: 3
> 7 │     enabled: yes
    │              ^^^ write true
jobs.yaml:9:27: error: jobs.report.cron.1: expected 5 fields (or 6 with seconds first), got 1
  8 │   report:
> 9 │     cron: ["0 9 * * 1-5", "*/5"]
    │                           ^^^^^ write all of: minute, hour, day of month, month, day of week, e.g. "*/5 * * * *"
jobs.yaml:10:5: error: jobs.report.schedule: unknown key "schedule"
   9 │     cron: ["0 9 * * 1-5", "*/5"]
> 10 │     schedule: x
     │     ^^^^^^^^ did you mean "cron"?
jobs.yaml:12:14: error: jobs.report.timeout: expected a duration, got 90
  11 │     run: x
> 12 │     timeout: 90
     │              ^^ add a unit: 90s
jobs.yaml:13:3: error: jobs.report: duplicate job id "report"
  12 │     timeout: 90
> 13 │   report:
     │   ^^^^^^
jobs.yaml:8:3: note: first written here
  7 │     enabled: yes
> 8 │   report:
    │   ^
jobs.yaml:14:12: error: jobs.report.cron: the minute field takes 0-59, got 61
  13 │   report:
> 14 │     cron: "61 * * * *"
     │            ^^
jobs.yaml:17:11: error: jobs.daily.cron: a cron expression that starts with @ must be quoted
  16 │   daily:
> 17 │     cron: @daily
     │           ^^^^^^ write "@daily"
jobs.yaml:19:18: error: jobs.daily.env.PORT: expected text, got a number
  18 │     run: z
> 19 │     env: { PORT: 8080 }
     │                  ^^^^ quote it: "8080"
jobs.yaml:20:10: error: jobs.daily.cwd: the variable NOPE is not set
  19 │     env: { PORT: 8080 }
> 20 │     cwd: \${NOPE}
     │          ^^^^^^^ set it, or write \${NOPE:-default}
`;

/** Frames as printed, with the directory of the test taken out. */
async function frames(content: string): Promise<string> {
  using files = new Files();
  const result = await files.load(content);
  const texts = result.ok ? result.file.texts : result.texts;
  return formatDiagnostics(found(result), texts, { color: false }).replaceAll(`${files.directory}/`, '');
}

describe('diagnostics', () => {
  it('show all mistakes of a file at once, in line order, each with its text, a caret and a suggestion', async () => {
    expect(await frames(TEN_MISTAKES)).toBe(TEN_FRAMES);
  });

  it('name the second place of a duplicate across files', async () => {
    using files = new Files();
    files.write('jobs.d/more.yaml', 'jobs:\n  a: { every: 1m, run: x }\n');
    const result = await files.load('include: jobs.d/*.yaml\njobs:\n  a: { every: 1m, run: x }\n');
    expect(found(result)).toMatchObject([
      {
        file: files.path('jobs.d/more.yaml'),
        line: 2,
        message: 'duplicate job id "a"',
        related: { file: files.path('jobs.yaml'), line: 3 },
      },
    ]);
  });

  it('keep the name of the file as it was given', async () => {
    const result = await loadJobFile('./no/such/jobs.yaml', OPTIONS);
    expect(result).toMatchObject({ ok: false, missing: true, errors: [{ file: './no/such/jobs.yaml' }] });
  });

  it('say of a mistake in defaults or behind an alias once', async () => {
    using files = new Files();
    const jobs = ['a', 'b', 'c'].map((id) => `  ${id}: { every: 1m, run: x, retry: *r }\n`).join('');
    const result = await files.load(`defaults:\n  retry: &r\n    delay: 5\njobs:\n${jobs}`);
    expect(lines(result)).toEqual([
      '3:12 error defaults.retry.delay: expected a duration, got 5 | add a unit: 5s',
    ]);
  });

  it('place carets under wide characters, tabs and long lines', () => {
    const at = { severity: 'error', file: 'f', path: '', message: 'm', line: 1 } as const;
    const show = (text: string, column: number, length: number): string =>
      formatDiagnostics([{ ...at, column, length }], new Map([['f', text]]), { color: false });
    expect(show('a: 日本 x', 7, 1)).toContain('\n    │         ^\n');
    expect(show('a:\tx', 4, 1)).toContain('\n    │   \t^\n');
    const long = show(`a: ${'y'.repeat(500)}X${'y'.repeat(500)}`, 504, 1);
    const [, line = '', carets = ''] = long.split('\n');
    expect(line[carets.indexOf('^')]).toBe('X');
    expect(line.length).toBeLessThan(140);
  });

  it('never pass control characters on to the terminal', () => {
    const text = 'a: \u001b]0;owned\u0007\u001b[2J\u202e x';
    const diagnostic = {
      severity: 'error',
      file: 'f',
      path: '',
      message: text,
      line: 1,
      column: 4,
      length: 3,
    } as const;
    const shown = formatDiagnostics([diagnostic], new Map([['f', text]]), { color: false });
    for (const character of ['\u001b', '\u0007', '\u202e']) expect(shown).not.toContain(character);
    expect(shown).toContain('owned');
  });

  it('use colour only when asked', () => {
    const diagnostic = {
      severity: 'warning',
      file: 'f',
      path: '',
      message: 'm',
      line: 1,
      column: 1,
      length: 1,
    } as const;
    const texts = new Map([['f', 'x']]);
    expect(formatDiagnostics([diagnostic], texts, { color: true })).toContain('\u001b[33m');
    expect(formatDiagnostics([diagnostic], texts, { color: false })).not.toContain('\u001b');
  });

  it('are summed up', async () => {
    using files = new Files();
    const result = await files.load('jobs:\n  a: { cron: 0 9 13 * 5, run: 1, shell: bash }\n  b: {}\n');
    expect(summarizeDiagnostics(found(result))).toBe('3 errors and 1 warning');
    expect(summarizeDiagnostics([])).toBe('no errors');
  });

  it('drop what is only the echo of a syntax error, but nothing of other jobs', async () => {
    using files = new Files();
    const result = await files.load(
      'jobs:\n  a:\n    timeout: 5\n    run: "x\\q"\n    foo: [1\n  b:\n    every: 5\n    run: x\n',
    );
    expect(lines(result).map((line) => line.split(' ')[0])).toEqual(['3:14', '4:12', '5:10', '7:12']);
  });
});

describe('what a file repeats at us', () => {
  it('neither steers the terminal nor fills it, in keys as little as in values (F53)', async () => {
    using files = new Files();
    const evil = String.raw`\e[2J\u202e\u2028\0`;
    const result = await files.load(
      `jobs:\n  "${evil}": { every: 1h, run: x }\n  j: { every: 1h, run: x, "${evil}": 1, ${'k'.repeat(1e6)}: 1, cron: "${evil}" }\n`,
    );
    if (result.ok) throw new Error('it was accepted');
    expect(result.errors.map(({ path }) => path)).toContain('jobs.\u001b[2J\u202e\u2028\0');
    const text = formatDiagnostics(result.errors, result.texts, { color: false });
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Zl}\p{Bidi_Control}]/u);
    expect(text.length).toBeLessThan(10_000);
  });
});
