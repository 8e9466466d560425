import { describe, expect, it } from 'vitest';
import { Files, lines } from './support.ts';

/** A job with these lines, at 4 blanks from line 3 on. */
function job(...keys: string[]): string {
  return `jobs:\n  j:\n${keys.map((key) => `    ${key}\n`).join('')}`;
}

/** A job that is right but for one line, which is line 5. */
function wrong(key: string): string {
  return job('every: 1h', 'run: x', key);
}

/** A job that is right but for its schedule, which is line 3. */
function cron(value: string): string {
  return job(`cron: ${value}`, 'run: x');
}

const MISTAKES: readonly [name: string, content: string | Buffer, ...said: string[]][] = [
  // Whole files.
  [
    'empty file',
    '',
    '1:1 error the file is empty | a job file has a mapping jobs:; "tsched init" writes an example',
  ],
  ['only comments', '# x\n\n', '1:1 error the file is empty'],
  ['no jobs', 'timezone: UTC\n', '1:1 error the file has no jobs | add the key jobs:'],
  ['jobs without value', 'jobs:\n', '1:1 error the file has no jobs'],
  ['jobs as a list', 'jobs:\n  - id: a\n', '2:3 error jobs: expected a mapping (key: value), got a list'],
  ['a list', '- a\n- b\n', '1:1 error this is not a job file | it must be a mapping with the key jobs:'],
  ['a crontab', '0 5 * * * /bin/x\n', '1:1 error this is not a job file'],
  ['cut within a word', 'jobs:\n  j:\n    every: 1h\n    ru', '4:5 error expected "key: value"'],
  [
    'cut after a key',
    'jobs:\n  j:\n    every: 1h\n    run:',
    '4:8 error jobs.j.run: expected a shell line, got nothing',
  ],
  ['UTF-16', Buffer.from('\ufeffjobs:\n', 'utf16le'), '1:1 error the file is UTF-16 | save it as UTF-8'],
  ['not UTF-8', Buffer.from('jobs:\n  \xff: 1\n', 'latin1'), '1:1 error line 2 is not valid UTF-8'],
  ['NUL', 'jobs:\n  j: \0\n', '2:6 error a NUL character | this is not a text file'],
  [
    'two documents',
    `${job('every: 1h', 'run: x')}---\njobs: {}\n`,
    '5:1 error a second YAML document starts here',
  ],
  ['%YAML 1.1', `%YAML 1.1\n---\n${job('every: 1h', 'run: x')}`, '1:1 error %YAML 1.1 is not supported'],
  [
    'top-level key twice',
    `env: {}\n${job('every: 1h', 'run: x')}env: {}\n`,
    '6:1 error env: duplicate key "env"',
  ],
  ['unknown top-level key', 'job: {}\njobs: {}\n', '1:1 error job: unknown key "job" | did you mean "jobs"?'],

  // Syntax.
  ['tab', 'jobs:\n\tj:\n', '2:1 error a tab is used for indentation | YAML allows spaces only'],
  [
    'two colons',
    wrong('description: a: b'),
    '5:18 error a second ": " on one line | quote the text that contains it',
  ],
  ['indentation', job('every: 1h', ' run: x'), '3:12 error this line already has a value'],
  ['outdented', 'jobs:\n  j:\n    every: 1h\n   run: x\n', '4:1 error the indentation does not match'],
  ['open quote', wrong('description: "x'), '5:18 error this " is never closed'],
  ['open single quote', wrong("description: 'x"), "5:18 error this ' is never closed"],
  [
    'open bracket',
    `${wrong('tags: [a, b')}  k: { every: 1h, run: x }\n`,
    '5:11 error this [ is never closed',
  ],
  ['open brace', `${wrong('env: { A: b')}  k: { every: 1h, run: x }\n`, '5:10 error this { is never closed'],
  ['quote in quotes', wrong(`description: 'it's'`), '5:22 error text after the end of a value'],
  ['bad escape', wrong('description: "\\q"'), '5:19 error invalid escape sequence \\q'],
  ['backtick', wrong('description: `x`'), '5:18 error text cannot start with ` | quote it'],
  ['percent', wrong('description: %x'), '5:18 error text cannot start with % | quote it'],
  ['no blank after the colon', wrong('description:x'), '5:5 error expected "key: value"'],
  ['unknown tag', wrong('description: !env HOME'), '5:18 error unknown tag !env | job files use no tags'],
  ['unknown alias', wrong('env: *base'), '5:10 error no anchor is called "base"'],
  ['alias before its anchor', wrong('env: *e\n    tags: &e [a]'), '5:10 error no anchor is called "e"'],
  ['merge of text', wrong('<<: x'), '5:9 error << needs an alias of a mapping'],
  ['list as key', wrong('? [a]\n    : b'), '5:7 error a key must be a word'],
  ['a key twice', wrong('every: 2h'), '5:5 error jobs.j.every: duplicate key "every"'],
  ['__proto__', wrong('__proto__: x'), '5:5 error jobs.j: "__proto__" cannot be a key'],
  [
    '__proto__ in with',
    wrong('with: { __proto__: 1 }'),
    '5:13 error jobs.j.with: "__proto__" cannot be a key',
    '5:5 warning jobs.j.with: ',
  ],

  // Schedules.
  [
    'unquoted step',
    cron('*/5 * * * *'),
    '3:11 error jobs.j.cron: a cron expression that starts with * must be quoted | write "*/5 * * * *"',
  ],
  [
    'unquoted stars',
    cron('* * * * *'),
    '3:11 error jobs.j.cron: a cron expression that starts with * must be quoted',
  ],
  [
    'unquoted with a comment',
    cron('*/5 * * * * # x'),
    '3:11 error jobs.j.cron: a cron expression that starts with * must be quoted | write "*/5 * * * *"',
  ],
  [
    'unquoted in a list',
    cron('[*/5 * * * *, "0 5 * * *"]'),
    '3:12 error jobs.j.cron.0: a cron expression that starts with * must be quoted',
  ],
  [
    'unquoted in a block list',
    cron('\n    - */5 * * * *'),
    '4:7 error jobs.j.cron.0: a cron expression that starts with * must be quoted',
  ],
  [
    'unquoted nickname',
    cron('@daily'),
    '3:11 error jobs.j.cron: a cron expression that starts with @ must be quoted | write "@daily"',
  ],
  ['only a step', cron('*/5'), '3:11 error jobs.j.cron: a cron expression that starts with * must be quoted'],
  [
    'comment in a schedule',
    cron('0 9 * * 5 #2'),
    '3:11 warning jobs.j.cron: #2 is a comment to YAML, not part of the schedule | if it belongs to the schedule, write "0 9 * * 5#2"',
  ],
  ['empty schedule', cron('""'), '3:11 error jobs.j.cron: '],
  ['one field', cron('"5"'), '3:11 error jobs.j.cron: expected 5 fields'],
  ['a number', cron('5'), '3:11 error jobs.j.cron: expected a cron expression, got a number | quote it: "5"'],
  ['field out of range', cron('"0 25 * * *"'), '3:14 error jobs.j.cron: the hour field takes 0-23, got 25'],
  ['impossible date', cron('"0 0 30 2 *"'), '3:16 error jobs.j.cron: '],
  ['both day fields', cron('"0 9 13 * 5"'), '3:16 warning jobs.j.cron: '],
  [
    'a map',
    cron('{ minute: 5 }'),
    '3:11 error jobs.j.cron: expected a cron expression or a list, got a mapping',
  ],
  ['an empty list', cron('[]'), '3:11 error jobs.j.cron: the list is empty'],
  [
    'no trigger',
    job('run: x'),
    '2:3 error jobs.j: nothing says when it runs | add cron:, every:, at:, startup: or after:',
  ],
  ['no value', cron(''), '3:9 error jobs.j.cron: expected a cron expression or a list, got nothing'],
  ['unknown zone', wrong('timezone: Mars/Base'), '5:15 error jobs.j.timezone: unknown time zone "Mars/Base"'],
  ['abbreviated zone', wrong('timezone: IST'), '5:15 error jobs.j.timezone: '],
  [
    'every without unit',
    job('every: 90', 'run: x'),
    '3:12 error jobs.j.every: expected a duration, got 90 | add a unit: 90s',
  ],
  ['every like a clock', job('every: 1:30', 'run: x'), '3:12 error jobs.j.every: '],
  ['every of nothing', job('every: 0s', 'run: x'), '3:12 error jobs.j.every: 0s is too short'],
  ['at in words', job('at: tomorrow', 'run: x'), '3:9 error jobs.j.at: '],
  ['at that is no day', job('at: 2027-02-30T00:00:00', 'run: x'), '3:9 error jobs.j.at: '],
  [
    'at in the past',
    job('at: 2020-01-01T00:00:00Z', 'run: x'),
    '3:5 warning jobs.j.at: all of its times are past',
  ],
  [
    'at in a gap',
    job('at: 2027-03-28T02:30:00', 'timezone: Europe/Berlin', 'run: x'),
    '3:5 error jobs.j.at: 2027-03-28T02:30:00 does not exist in Europe/Berlin',
  ],
  ['end in the past', wrong('end: 2020-01-01T00:00:00Z'), '5:5 warning jobs.j.end: this is past'],
  [
    'end before start',
    wrong('start: 2027-01-02T00:00:00\n    end: 2027-01-01T00:00:00'),
    '6:5 error jobs.j.end: the end is before the start',
  ],
  [
    'startup',
    job('startup: reboot', 'run: x'),
    '3:14 error jobs.j.startup: expected daemon or boot, got "reboot"',
  ],
  [
    'anchor alone',
    job('cron: "0 5 * * *"', 'run: x', 'anchor: 2026-01-01T00:00:00'),
    '5:5 warning jobs.j.anchor: has no effect without "every"',
  ],
  [
    'dst',
    wrong('dst: { gap: skp }'),
    '5:17 error jobs.j.dst.gap: expected run_after or skip, got "skp" | did you mean "skip"?',
    '5:5 warning jobs.j.dst: has no effect without "cron"',
  ],

  // Tasks.
  [
    'no task',
    job('every: 1h'),
    '2:3 error jobs.j: nothing says what to run | add run:, command:, module: or http:',
  ],
  [
    'two tasks',
    wrong('command: [x]'),
    '5:5 error jobs.j.command: a job has one task, and this one has "run" already',
  ],
  [
    'command as text',
    job('every: 1h', 'command: ls -l'),
    '4:14 error jobs.j.command: expected a list, got text | write [ program, argument ]',
  ],
  [
    'number in a command',
    job('every: 1h', 'command: [sleep, 5]'),
    '4:22 error jobs.j.command.1: expected text, got a number | quote it: "5"',
  ],
  ['run as a list', job('every: 1h', 'run: [a]'), '4:10 error jobs.j.run: expected a shell line, got a list'],
  [
    'max_instances without overlap: allow',
    wrong('max_instances: 3'),
    '5:5 warning jobs.j.max_instances: has no effect without "overlap: allow"',
  ],
  ['with without module', wrong('with: { a: 1 }'), '5:5 warning jobs.j.with: has no effect without "module"'],
  [
    'shell without run',
    job('every: 1h', 'command: [x]', 'shell: bash'),
    '5:5 warning jobs.j.shell: has no effect without "run"',
  ],
  [
    'env as a list',
    wrong('env: [A=b]'),
    '5:10 error jobs.j.env: expected a mapping (key: value), got a list',
  ],
  [
    'NUL in a command',
    'jobs:\n  j:\n    every: 1h\n    command: [cat, "a\\0b"]\n',
    '4:20 error jobs.j.command.1: it holds a NUL character, which no argument can hold',
  ],
  [
    'NUL in a shell line',
    'jobs:\n  j:\n    every: 1h\n    run: "rm -r /srv/a\\0b"\n',
    '4:10 error jobs.j.run: it holds a NUL character, which no argument can hold',
  ],
  [
    'NUL in env',
    wrong(String.raw`env: { A: "b\0" }`),
    '5:15 error jobs.j.env.A: it holds a NUL character, which no variable can hold',
  ],
  [
    'number in env',
    wrong('env: { A: 0080 }'),
    '5:15 error jobs.j.env.A: expected text, got a number | quote it: "0080"',
  ],
  [
    'boolean in env',
    wrong('env: { A: true }'),
    '5:15 error jobs.j.env.A: expected text, got the boolean true | quote it: "true"',
  ],
  ['nothing in env', wrong('env: { A: }'), '5:13 error jobs.j.env.A: expected text, got nothing'],
  ['name in env', wrong('env: { "A B": x }'), '5:12 error jobs.j.env.A B: "A B" is not a variable name'],
  ['missing env file', wrong('env_file: nope.env'), '5:5 error jobs.j.env_file: '],
  ['home', wrong('cwd: ~/x'), '5:10 error jobs.j.cwd: ~ is not expanded | write ${HOME} instead'],
  ['user', wrong('user: "a b"'), '5:11 error jobs.j.user: expected a name or a number, got "a b"'],
  [
    'umask',
    wrong('umask: 999'),
    '5:12 error jobs.j.umask: expected an octal mask, got 999 | write e.g. "027"',
  ],
  ['nice', wrong('nice: 50'), '5:11 error jobs.j.nice: expected a whole number from -20 to 19, got 50'],
  [
    'leading zero',
    wrong('priority: 012'),
    '5:15 error jobs.j.priority: 012 has a leading zero, which YAML ignores | write 12',
  ],
  [
    'underscore',
    wrong('priority: 1_000'),
    '5:15 error jobs.j.priority: expected a whole number from -1000000 to 1000000, got "1_000" | write 1000',
  ],
  [
    'size without unit',
    wrong('limits: { memory: 512 }'),
    '5:23 error jobs.j.limits.memory: expected a size, got 512 | add a unit: 512B, or e.g. 10MB',
  ],
  ['unknown limit', wrong('limits: { mem: 1MB }'), '5:15 error jobs.j.limits.mem: unknown key "mem"'],
  [
    'unset variable',
    wrong('cwd: /x/${NOPE}/y'),
    '5:13 error jobs.j.cwd: the variable NOPE is not set | set it, or write ${NOPE:-default}',
  ],
  ['variable left open', wrong('description: "${A"'), '5:19 error jobs.j.description: "${" is not closed'],
  [
    'variable that is none',
    wrong('description: ${A-B}'),
    '5:18 error jobs.j.description: ${A-B} is not a variable',
  ],

  // Policies and the rest.
  ['yes', wrong('enabled: yes'), '5:14 error jobs.j.enabled: yes is text in YAML 1.2 | write true'],
  ['off', wrong('enabled: off'), '5:14 error jobs.j.enabled: off is text in YAML 1.2 | write false'],
  [
    'quoted boolean',
    wrong('enabled: "true"'),
    '5:14 error jobs.j.enabled: true is text in YAML 1.2 | write true',
  ],
  [
    'misfire',
    wrong('misfire: lates'),
    '5:14 error jobs.j.misfire: expected one of latest, all, none, got "lates" | did you mean "latest"?',
  ],
  [
    'misfire key',
    wrong('misfire: { rum: all }'),
    '5:16 error jobs.j.misfire.rum: unknown key "rum" | did you mean "run"?',
  ],
  ['retry', wrong('retry: -1'), '5:12 error jobs.j.retry: expected a whole number from 0 to 1000, got -1'],
  [
    'retry on',
    wrong('retry: { on: [faild] }'),
    '5:19 error jobs.j.retry.on.0: expected an exit code, a signal or an outcome, got "faild" | did you mean "failed"?',
  ],
  [
    'retry delay',
    wrong('retry: { delay: 10 }'),
    '5:21 error jobs.j.retry.delay: expected a duration, got 10 | add a unit: 10s',
  ],
  ['timeout junk', wrong('timeout: 5m abc'), '5:14 error jobs.j.timeout: '],
  [
    'signal',
    wrong('kill_signal: TERN'),
    '5:18 error jobs.j.kill_signal: expected a signal, got "TERN" | did you mean "TERM"?',
  ],
  [
    'exit code',
    wrong('success_exit_codes: [0, 256]'),
    '5:29 error jobs.j.success_exit_codes.1: expected a whole number from 0 to 255, got 256',
  ],
  [
    'overlap',
    wrong('overlap: forbid'),
    '5:14 error jobs.j.overlap: expected one of skip, queue, replace, allow, got "forbid"',
  ],
  [
    'max_instances',
    wrong('max_instances: 0'),
    '5:20 error jobs.j.max_instances: expected a whole number from 1 to 10000, got 0',
  ],
  [
    'description',
    wrong('description: 5'),
    '5:18 error jobs.j.description: expected text, got a number | quote it: "5"',
  ],
  ['a job of text', 'jobs:\n  j: "x"\n', '2:6 error jobs.j: expected a mapping (key: value), got text'],
  ['a job of nothing', 'jobs:\n  j:\n', '2:4 error jobs.j: expected a mapping (key: value), got nothing'],
  [
    'id with a blank',
    'jobs:\n  a b: { every: 1h, run: x }\n',
    '2:3 error jobs.a b: "a b" cannot be a job id',
  ],
  [
    'id with a slash',
    'jobs:\n  ../x: { every: 1h, run: x }\n',
    '2:3 error jobs.../x: "../x" cannot be a job id',
  ],
  [
    'id that is too long',
    `jobs:\n  ${'x'.repeat(129)}: { every: 1h, run: x }\n`,
    `2:3 error jobs.${'x'.repeat(129)}: `,
  ],
  ['id with a direction mark', 'jobs:\n  "a\u202eb": { every: 1h, run: x }\n', '2:3 error '],
  [
    'half a user',
    job('every: 1h', 'run: x', 'user: 1.5', 'group: .nan'),
    '5:11 error jobs.j.user: expected a name or a number, got "1.5"',
    '6:12 error jobs.j.group: expected a name or a number, got "NaN"',
  ],
  [
    '__proto__ as id',
    'jobs:\n  __proto__: { every: 1h, run: x }\n',
    '2:3 error jobs: "__proto__" cannot be a key',
  ],
  [
    'id twice',
    'jobs:\n  a: { every: 1h, run: x }\n  a: { every: 1h, run: x }\n',
    '3:3 error jobs.a: duplicate job id "a"',
  ],
  [
    'defaults',
    `defaults: { tineout: 1h }\n${job('every: 1h', 'run: x')}`,
    '1:13 error defaults.tineout: unknown key "tineout" | did you mean "timeout"?',
  ],
  [
    'include of nothing',
    `include: nope.yaml\n${job('every: 1h', 'run: x')}`,
    '1:1 error there is no such file',
  ],
];

describe('a mistake is refused, at its place, with words that help:', () => {
  it.each(MISTAKES)('%s', async (_, content, ...said) => {
    using files = new Files();
    const result = await files.load(content);
    // Only the beginning is fixed, so that hints may be improved without touching every row.
    expect(lines(result).map((line, index) => line.slice(0, said[index]?.length))).toEqual(said);
    expect(result.ok).toBe(!said.some((line) => line.includes(' error')));
  });
});
