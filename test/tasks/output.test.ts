import fc from 'fast-check';
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LineSplitter, LONGEST_LINE } from '../../src/tasks/lines.ts';
import { bench, shell, type Bench } from './harness.ts';

function linesOf({ output }: Bench): string[] {
  return output.flatMap((each) => [...each.lines]);
}

const policy = { maxSize: 1_000_000, keep: 10 };

describe('lines', () => {
  it('come out alike however the bytes come in', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.nat(20)), (lines, cuts) => {
        const clean = lines.map((line) => line.replaceAll('\n', ''));
        const bytes = Buffer.from(clean.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter();
        const heard: string[] = [];
        let from = 0;
        for (const cut of cuts) {
          heard.push(...splitter.push(bytes.subarray(from, from + cut)));
          from += cut;
        }
        heard.push(...splitter.push(bytes.subarray(from)), ...splitter.end());
        expect(heard).toEqual(clean);
      }),
    );
  });

  it('of any length come in parts (F51)', () => {
    const splitter = new LineSplitter();
    const piece = Buffer.alloc(1_000_000, 'a');
    const heard = [...splitter.push(piece), ...splitter.push(piece), ...splitter.end()];
    expect(heard.join('')).toHaveLength(2_000_000);
    expect(Math.max(...heard.map((line) => line.length))).toBe(LONGEST_LINE);
  });

  it('may be no UTF-8 (F52)', () => {
    const splitter = new LineSplitter();
    expect([...splitter.push(Buffer.from('a\xff\xfeb\n', 'latin1')), ...splitter.end()]).toEqual([
      'a\uFFFD\uFFFDb',
    ]);
  });
});

describe('output', () => {
  it('is kept byte for byte, whatever it is (F52, F53, F54)', async () => {
    const attempt = bench().start(shell(String.raw`printf 'a\377\376b\000\033[2J\r\n{"level":"info"}\n'`));
    await attempt.outcome;
    expect(statSync(`${attempt.base}.log`).size).toBe(28);
  });

  it('of 50 MB in one line is kept byte for byte, and told in parts', async () => {
    const some = bench();
    const output = { maxSize: 100_000_000, keep: 1, log: 'all' } as const;
    const script = String.raw`printf 'a\377\376b\000\033[2J\r'; head -c 50000000 /dev/zero | tr '\0' c; printf '\303'`;
    const attempt = some.start(shell(script, { output }));
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    const head = Buffer.from('a\xff\xfeb\0\x1b[2J\r', 'latin1');
    const expected = Buffer.concat([head, Buffer.alloc(50_000_000, 'c'), Buffer.from([0xc3])]);
    expect(readFileSync(`${attempt.base}.log`).equals(expected)).toBe(true);
    const told = linesOf(some);
    expect(Math.max(...told.map((line) => line.length))).toBeLessThanOrEqual(LONGEST_LINE);
    expect(told.join('').length).toBe(50_000_000 + 11);
  });

  it('of every run is told where the job wants it, as it comes and to the last word', async () => {
    const all = bench();
    const attempt = all.start(
      shell('printf "one\\ntwo\\n"; echo three >&2; printf four', { output: { ...policy, log: 'all' } }),
    );
    await attempt.outcome;
    expect(linesOf(all)).toEqual(['one', 'two', 'three', 'four']);
    expect(all.output[0]).toMatchObject({ runId: 'run-1', jobId: 'job', attempt: 1 });
  });

  it('of failures is told after their end, the last of it', async () => {
    const some = bench();
    const output = { ...policy, log: 'failures' } as const;
    await some.start(shell('echo fine', { output })).outcome;
    expect(linesOf(some)).toEqual([]);
    await some.start(shell('seq 100000; exit 1', { output })).outcome;
    expect(linesOf(some)[0]).toMatch(/^… \d+ bytes before this$/u);
    expect(linesOf(some).at(-1)).toBe('100000');
    expect(linesOf(some).length).toBeLessThan(4000);
  });

  it('is told to nobody where the job wants that', async () => {
    const none = bench();
    await none.start(shell('echo hello; exit 1')).outcome;
    expect(none.output).toEqual([]);
  });

  it('has a bound: head and tail stay, and the middle is marked (F50)', async () => {
    const attempt = bench().start(
      shell('echo first; seq 1000000; echo last', { output: { maxSize: 10_000, keep: 1, log: 'none' } }),
    );
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    const log = attempt.log();
    expect(Buffer.byteLength(log)).toBeLessThanOrEqual(10_000);
    expect(log).toMatch(/^first\n1\n2\n/u);
    expect(log).toMatch(/999999\n1000000\nlast\n$/u);
    const { removed } = /\[tsched: about (?<removed>\d+) bytes removed here\] *\n/u.exec(log)?.groups ?? {};
    expect(Number(removed)).toBeGreaterThan(6_000_000);
  });

  it('is cut while it grows, so that no amount of it fills the disk or the memory (F50)', async () => {
    const before = process.memoryUsage.rss();
    const some = bench();
    const output = { maxSize: 100_000, keep: 1, log: 'all' } as const;
    const attempt = some.start(
      shell(
        'head -c 400000000 /dev/zero; echo half; sleep 0.6; head -c 400000000 /dev/zero; echo; echo end',
        { output },
      ),
    );
    expect(await attempt.outcome).toMatchObject({ kind: 'succeeded' });
    const { size, blocks } = statSync(`${attempt.base}.log`);
    expect(size).toBeLessThanOrEqual(100_000);
    expect(blocks * 512).toBeLessThan(1_000_000);
    expect(attempt.log()).toMatch(/end\n$/u);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000);
    expect(Math.max(...linesOf(some).map((line) => line.length))).toBeLessThanOrEqual(LONGEST_LINE);
  });
});
