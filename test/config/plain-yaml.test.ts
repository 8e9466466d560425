import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePlainYaml } from '../../src/config/plain-yaml.ts';
import { Source } from '../../src/config/source.ts';
import { parseYaml } from '../../src/config/syntax.ts';

/** What is answered must be what `yaml` says, without an error; to leave it to `yaml` is always right. */
function agrees(text: string): boolean {
  const plain = parsePlainYaml(text);
  if (plain === undefined) return false;
  const { tree, problems } = parseYaml(new Source('/jobs.yaml', 'jobs.yaml', text));
  expect({ tree: plain, problems: [] }, text).toEqual({ tree, problems });
  return true;
}

const PLAIN = `# a comment
timezone: Europe/Berlin   # here too
env: { LANG: C.UTF-8, PATH: "/bin:/usr/bin" }
env_file: [ "?.env", ./x.env ]
defaults:
  timeout: 1h
  retry: {limit: 3, delay: 10s, on: [1, timed_out]}

jobs:
  backup-1:
    description: Dump "all" of it, it's #1: fast:er
    cron:
      - "*/5 * * * *"
      - 0 9 * * 1-5
    run: |
      set -e
        # not a comment
      pg_dump -a

      echo "a: b"
    enabled: true
  other.job:
    every: 1h30m
    tags:
    - a
    - 'b c'
    command: [ls, -l, /tmp]
    priority: -5
    empty:
    stdin: |-
      x # y
    user: null
    with: {}
  last:
    run: -x
`;

/** Bits of YAML, whole and broken, to be put together at random. */
const PIECES = [
  [
    'a',
    'b-c',
    'x.y',
    ': ',
    ':',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
    '\n  - ',
    '- ',
    ' ',
    '  ',
    '# c',
    ' # d',
    '#',
  ],
  [
    '"q w"',
    "'s'",
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ', ',
    ',',
    '|',
    '|\n    ',
    '|-\n      ',
    '>',
    '&a',
    '*a',
    '!t',
  ],
  [
    '1',
    '-5',
    '007',
    '1e3',
    '.5',
    'true',
    'no',
    'null',
    '~',
    '0 9 * * *',
    '*/5',
    '@daily',
    '%',
    '?',
    '-',
    '\t',
    'é',
  ],
  ['jobs:\n', 'k: v\n', 'm:\n  n: 1\n', 'l: [a, "b"]\n', 'f: { x: y }\n', '    deep: 1\n', '  two: 2\n'],
].flat();

describe('parsePlainYaml', () => {
  it('reads an ordinary job file as yaml does', () => {
    expect(agrees(PLAIN)).toBe(true);
  });

  it.each([
    'a: &x 1\nb: *x\n',
    'a: one\n  two\n',
    'a: "x\\n"\n',
    "a: 'it''s'\n",
    'a: !!str 5\n',
    'a: >\n  x\n',
    'a: |+\n  x\n\n',
    'a: 0x10\n',
    'a: 010\n',
    'a: 1.5\n',
    'a: b: c\n',
    'a: */5 * * * *\n',
    'a: @daily\n',
    'a:\n\tb: 1\n',
    'a: 1\r\nb: 2\r\n',
    '---\na: 1\n',
    'a: 1\n---\nb: 1\n',
    '%YAML 1.1\n---\na: 1\n',
    '? a\n: 1\n',
    '"a": 1\n',
    '<<: { a: 1 }\n',
    'a: [1,\n  2]\n',
    'a: [*x]\n',
    'a: { b }\n',
    'a: {b: [}\n',
    'a:\n  b: 1\n c: 2\n',
    'a:\n - x\n  - y\n',
    '- a\n',
    'a\n',
    '',
    '# nothing\n',
    ' a: 1\nb: 2\n',
    'a: "x" y\n',
    'a: x\n- y\n',
    'a: \u0000\n',
    'a: x\u0085y\n',
    'a: |\n\n    x\n  y\n',
    'a: |\n     \n  x\n',
  ])('leaves to yaml: %j', (text) => {
    expect(parsePlainYaml(text)).toBeUndefined();
  });

  it('never says anything that yaml does not', () => {
    const pieces = fc.constantFrom(...PIECES);
    let answered = 0;
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        if (agrees(`k: ${parts.join('')}`)) answered += 1;
        if (agrees(parts.join(''))) answered += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(answered).toBeGreaterThan(500);
  });

  it('reads real job files, changed at random, as yaml does', () => {
    const example = readFileSync(join(import.meta.dirname, '../../jobs.example.yaml'), 'utf8');
    const bases = [PLAIN, ...`${PLAIN}\n${example}`.split(/\n(?=\S)/).map((part) => `${part}\n`)];
    const strange = [
      '---\n',
      '\n...\n',
      '? ',
      '%YAML 1.2\n',
      '!!str ',
      '>-\n    ',
      '|2\n',
      '\n    ',
      '\r\n',
      '\u2028',
      '\ufeff',
    ];
    const dates = [
      '2027-01-31',
      '12:30',
      '0x1F',
      '1_000',
      '+1',
      '.inf',
      '<<: ',
      "''",
      '""',
      '- - ',
      '{a}',
      '[a: b]',
    ];
    const piece = fc.constantFrom(...PIECES, ...strange, ...dates);
    const at = fc.nat({ max: 5000 });
    interface Change {
      readonly at: number;
      readonly cut: number;
      readonly piece: string;
      readonly kind: number;
      readonly to: number;
    }
    const change: fc.Arbitrary<Change> = fc.record({
      at,
      cut: fc.nat({ max: 3 }),
      piece,
      kind: fc.nat({ max: 4 }),
      to: at,
    });
    const apply = (text: string, { at, cut, piece, kind, to }: Change): string => {
      const lines = text.split('\n');
      const [line, other] = [at % lines.length, to % lines.length];
      const offset = at % (text.length + 1);
      if (kind === 0) return text.slice(0, offset) + piece + text.slice(offset + cut);
      if (kind === 1) return lines.toSpliced(line, 1).join('\n');
      if (kind === 2) return lines.toSpliced(other, 0, lines[line] ?? '').join('\n');
      if (kind === 3) return lines.with(line, `${' '.repeat(cut)}${lines[line] ?? ''}`).join('\n');
      return lines
        .with(
          line,
          (lines[line] ?? '').replace(/(?<=: |- ).*/, () => piece),
        )
        .join('\n');
    };
    let answered = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...bases),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (base, changes) => {
          if (agrees(changes.reduce(apply, base))) answered += 1;
        },
      ),
      { numRuns: 10_000 },
    );
    expect(answered).toBeGreaterThan(1000);
  });

  it('reads generated job files as yaml does', () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,6}$/);
    const word = fc.oneof(
      fc.stringMatching(/^[ -~é日]{0,12}$/).map((text) => text.replaceAll('\\', '')),
      fc.stringMatching(/^[a-z*/0-9 :#,-]{1,12}$/),
      fc.integer().map(String),
      fc.constantFrom('true', 'null', '"quoted: #text"', "'single'", '[a, b]', '{ a: 1 }', '0 0 * * *'),
    );
    const job = fc.array(fc.tuple(key, word), { maxLength: 5 });
    let answered = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, job), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        (jobs, width) => {
          const pad = ' '.repeat(width);
          const body = jobs.map(
            ([id, keys]) => `${pad}${id}:\n${keys.map(([k, v]) => `${pad}${pad}${k}: ${v}\n`).join('')}`,
          );
          if (agrees(`jobs:\n${body.join('')}`)) answered += 1;
        },
      ),
      { numRuns: 5000 },
    );
    expect(answered).toBeGreaterThan(500);
  });
});
