import { describe, expect, it } from 'vitest';
import { formatDiagnostics } from '../../src/config/diagnostic.ts';
import { loadInChild } from '../../src/config/apart.ts';
import { Files, found, lines, OPTIONS } from './support.ts';

const NOTIFIERS = `
notifiers:
  ops: { mail: { to: [ops@example.com], smtp: "smtp://u:\${SMTP_PASSWORD}@mail.example.com:587" } }
  chat: { webhook: "\${CHAT_URL}", format: slack }
  shell: { command: [./tell, --loud] }
`;
const ENVIRONMENT = { SMTP_PASSWORD: 'p%40ss', CHAT_URL: 'https://chat.example.com/T1/B2' };

function jobs(...keys: string[]): string {
  return `jobs:\n  j:\n    every: 1h\n    run: x\n${keys.map((key) => `    ${key}\n`).join('')}`;
}

describe('notifiers and who uses them', () => {
  it('become what they say, with secrets from the environment', async () => {
    using files = new Files();
    const file = await files.loaded(`${NOTIFIERS}${jobs('notify: [ops, chat, shell]')}`, {
      environment: ENVIRONMENT,
    });
    expect(file.warnings).toEqual([]);
    expect(file.notifiers).toEqual({
      ops: { kind: 'mail', to: ['ops@example.com'], smtp: 'smtp://u:p%40ss@mail.example.com:587' },
      chat: { kind: 'webhook', url: 'https://chat.example.com/T1/B2', format: 'slack', headers: {} },
      shell: { kind: 'command', argv: ['./tell', '--loud'], cwd: files.directory },
    });
  });

  it.each([
    ['ops', { failure: ['ops'], recovery: ['ops'], late: ['ops'], missed: [], success: [], after: 1 }],
    [
      '{ to: [ops, chat], success: shell, after: 3 }',
      {
        failure: ['ops', 'chat'],
        recovery: ['ops', 'chat'],
        late: ['ops', 'chat'],
        missed: [],
        success: ['shell'],
        after: 3,
      },
    ],
    [
      '{ failure: ops, missed: [ops], recovery: none }',
      { failure: ['ops'], recovery: [], late: [], missed: ['ops'], success: [], after: 1 },
    ],
  ])('notify: %s', async (written, notify) => {
    using files = new Files();
    const job = await files.job(`${NOTIFIERS}${jobs(`notify: ${written}`)}`, { environment: ENVIRONMENT });
    expect(job.telling).toEqual({ notify });
  });

  it('are left out where nobody would hear of anything', async () => {
    using files = new Files();
    const text = `notifiers: { ops: { mail: a@b } }\ndefaults: { notify: ops }\n${jobs('notify: none')}`;
    expect((await files.job(text)).telling).toBeUndefined();
    const off = `notifiers: { ops: { mail: a@b } }\n${jobs('notify: none')}  k: { every: 1h, run: x, notify: ops }\n`;
    expect((await files.job(off)).telling).toBeUndefined();
  });

  it('go with expect and ping, through the process that reads large files too', async () => {
    using files = new Files();
    const text = `${NOTIFIERS}${jobs(
      'notify: { late: [ops, chat, shell] }',
      'expect: { duration: 30m, finished_by: 06:00, every: 25h }',
      'ping: { url: "https://hc.example.com/u", output: false }',
    )}`;
    const options = { ...OPTIONS, environment: ENVIRONMENT };
    const file = await files.loaded(text, options);
    const [job] = file.jobs;
    expect(job?.telling).toMatchObject({
      ping: { url: 'https://hc.example.com/u', start: true, output: false },
      expect: { duration: 1_800_000, finishedBy: '06:00', every: 90_000_000 },
    });
    const apart = await loadInChild(files.path('jobs.yaml'), options);
    if (!apart.ok) throw new Error('refused');
    expect(apart.file.jobs).toEqual(file.jobs);
    expect(apart.file.notifiers).toEqual(file.notifiers);
  });

  it('of included files are for all', async () => {
    using files = new Files();
    files.write('more.yaml', 'notifiers: { dev: { mail: dev@example.com } }\njobs: {}\n');
    const file = await files.loaded(`include: more.yaml\n${jobs('notify: dev')}`);
    expect(Object.keys(file.notifiers)).toEqual(['dev']);
    files.write('more.yaml', 'notifiers: { ops: { mail: dev@example.com } }\njobs: {}\n');
    const twice = await files.load(
      `include: more.yaml\nnotifiers: { ops: { mail: a@b } }\n${jobs('notify: ops')}`,
    );
    expect(lines(twice).join()).toMatch(/error notifiers\.ops: the notifier "ops" is in .*jobs\.yaml too/);
  });
});

describe('of jobs that are added to a daemon', () => {
  it('are those of its job file, and stand there alone', async () => {
    using files = new Files();
    const options = { notifiers: ['ops', 'dev'] };
    expect((await files.job(jobs('notify: ops'), options)).telling?.notify.failure).toEqual(['ops']);
    expect(lines(await files.load(jobs('notify: opps'), options))).toEqual([
      '5:5 error jobs.j.notify: there is no notifier "opps" | did you mean "ops"?',
    ]);
    const own = await files.load(`notifiers: { mine: { mail: a@b } }\n${jobs('notify: mine')}`, options);
    expect(lines(own)).toEqual([
      '1:14 error notifiers.mine: notifiers stand in the job file of the daemon | put it there',
    ]);
  });
});

describe('mistakes in them', () => {
  it.each([
    ['notify: opps', '7:5 error jobs.j.notify: there is no notifier "opps" | did you mean "ops"?'],
    ['notify: [ops, zebra]', '7:5 error jobs.j.notify: there is no notifier "zebra" | notifiers: ops, dev'],
    [
      'notify: { after: 0, to: ops }',
      '7:22 error jobs.j.notify.after: expected a whole number from 1 to 1000000, got 0',
    ],
    ['notify: { on: ops }', '7:15 error jobs.j.notify.on: unknown key "on" | known keys: to, failure'],
    ['expect: { every: 25h }', '7:5 warning jobs.j.expect: nobody would be told | add notify:'],
    [
      'expect: { finished_by: "24:00" }',
      '7:28 error jobs.j.expect.finished_by: expected a time of day, got "24:00"',
    ],
    ['ping: { start: false }', '7:5 error jobs.j.ping: nothing says which check | add url:'],
    ['on_failure: ops', '7:5 error jobs.j.on_failure: unknown key "on_failure" | did you mean "notify"?'],
  ])('%s', async (key, said) => {
    using files = new Files();
    const text = `notifiers:\n  ops: { mail: ops@example.com }\n${jobs(key)}  k: { every: 1h, run: x, notify: [ops, dev] }\n`;
    const notifiers = text.replace('\njobs:', '\n  dev: { command: [cat] }\njobs:').replace('\n', ' # ops\n');
    const result = await files.load(notifiers);
    expect(
      lines(result)
        .map((line) => line.replace(/^8:/, '7:'))
        .join('\n'),
    ).toContain(said);
  });

  it.each([
    ['ops: { mail: nobody }', '2:16 error notifiers.ops.mail: expected a mail address, got "nobody"'],
    ['ops: { mail: { from: a@b } }', '2:3 error notifiers.ops: nothing says who gets the mail | add to:'],
    ['ops: { mail: a@b, command: [x] }', '2:3 error notifiers.ops: it tells by mail already'],
    ['ops: { format: slack }', '2:3 error notifiers.ops: nothing says how it tells'],
    ['ops: { command: [x], secret: "hush" }', '2:3 error notifiers.ops: "secret" is for webhooks only'],
    ['ops: { webhook: "ftp://x/hush" }', '2:19 error notifiers.ops.webhook: expected an address such as'],
    ['ops: { webhook: 12345 }', '2:19 error notifiers.ops.webhook: expected an address such as'],
    ['none: { mail: a@b }', '2:3 error notifiers.none: "none" is not a notifier name'],
    [
      'ops: { webhook: "https://x", headers: { "A b": c } }',
      'error notifiers.ops.headers.A b: "A b" is not a header name',
    ],
    [
      'ops: { webhook: "https://x", headers: { A: "b\\nC: d" } }',
      'error notifiers.ops.headers.A: a header holds',
    ],
    ['dev: { mail: a@b }', '2:3 warning notifiers.dev: no job uses the notifier "dev" | write notify: dev'],
  ])('%s', async (notifier, said) => {
    using files = new Files();
    const result = await files.load(`notifiers:\n  ${notifier}\n${jobs()}`);
    expect(lines(result).join('\n')).toContain(said);
  });

  it('in defaults are said once', async () => {
    using files = new Files();
    const text = `defaults: { notify: opps }\n${jobs()}  k: { every: 1h, run: x }\n`;
    expect(lines(await files.load(text))).toEqual([
      '1:13 error defaults.notify: there is no notifier "opps" | name it under notifiers:',
    ]);
  });

  it.each([
    ['ops: { webhook: "https://x/HUSH-HUSH", fromat: slack }', 'fromat'],
    ['ops: { webhok: "https://x/HUSH-HUSH" }', 'webhok'],
    ['ops: { webhook: ftp://x/HUSH-HUSH }', 'webhook'],
    ['ops: { webhook: [ "https://x/HUSH-HUSH" ] }', 'webhook'],
    ['ops: { webhook: "https://x/HUSH-HUSH", webhook: "https://y/HUSH-HUSH" }', 'duplicate'],
    ['ops: { webhook: "https://x", secret: HUSH-HUSH, headers: { A: "HUSH-HUSH\\n" } }', 'headers'],
    ['ops: { mail: { to: a@b, smtp: "smtp://u:HUSH-HUSH@x:587", frm: c@d } }', 'frm'],
    ['ops: { mail: { to: a@b, smtp: "ftp://u:HUSH-HUSH@x:587" } }', 'smtp'],
    ['ops: { webhook: "https://x/HUSH-HUSH }', 'never closed'],
    ['ops: { webhook: https://x/HUSH-HUSH: y }', 'ops'],
    ['ops: { mail: a@b, secret: HUSH-HUSH }', 'secret'],
  ])('never show a secret: %s', async (notifier, about) => {
    using files = new Files();
    const result = await files.load(
      `notifiers:\n  ${notifier}\n${jobs('notify: opps', 'ping: "ftp://x/HUSH-HUSH"')}`,
    );
    const texts = result.ok ? result.file.texts : result.texts;
    const shown = formatDiagnostics(found(result), texts, { color: false });
    expect(shown).toContain(about);
    expect(shown).not.toMatch(/HUSH/);
  });
});
