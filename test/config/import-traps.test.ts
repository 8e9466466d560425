/** What stands in files of other schedulers in the wild, and is easily lost on the way. */
import { describe, expect, it } from 'vitest';
import { NotImported } from '../../src/config/import/import-file.ts';
import { comesTo, cronOf, jobIn } from './imported.ts';

const lines = (...text: string[]): string => `${text.join('\n')}\n`;

describe('a crontab', () => {
  it('with steps of a random start (OpenBSD, cronie) has them drawn from the job id', async () => {
    const came = await comesTo(
      lines('~/15 * * * * /opt/a', '0~59/20 3~6 * * * /opt/b', '30~ ~ 1~7 * * /opt/c'),
      'crontab',
    );
    expect(came.jobs.map((job) => cronOf(job))).toEqual([
      ['H(0-59)/15 * * * *'],
      ['H(0-59)/20 H(3-6) * * *'],
      ['H(30-59) H(0-23) H(1-7) * *'],
    ]);
    expect(came.changes.filter((change) => change.includes('"~" drew another value'))).toHaveLength(3);
  });

  it('that leaves something in the background, which cron lets go on, says that it is ended here', async () => {
    const came = await comesTo(
      lines(
        '@reboot nohup /opt/server >/dev/null 2>&1 &',
        '* * * * * (/opt/first & /opt/second)',
        '* * * * * /opt/a && /opt/b 2>&1 | /opt/c >& /dev/null; /opt/d &> /dev/null |& cat',
        '* * * * * echo \'a & b\' "c & d" e\\&f # g &',
        '* * * * * /opt/a & /opt/b; wait',
        '* * * * * setsid /opt/a &',
      ),
      'crontab',
    );
    expect(came.changes.filter((change) => change.includes('in the background'))).toEqual([
      expect.stringMatching(/^1 server: what it leaves running in the background \(&\) is ended when/),
      expect.stringMatching(/^2 /),
    ]);
    const yacron = 'jobs:\n  - { name: a, schedule: "* * * * *", command: "/opt/a &" }\n';
    expect((await comesTo(yacron, 'yacron')).changes).toContainEqual(
      expect.stringMatching(/^2 a: what it leaves running in the background/),
    );
  });

  it('of the BSDs: nicknames and flags of theirs', async () => {
    const came = await comesTo(
      lines(
        '@every_minute /opt/minute',
        '@every_second /opt/second',
        '@300 /opt/rest',
        '* * * * * -n -s /opt/flags -n',
      ),
      'crontab',
    );
    expect(came.jobs.map((job) => cronOf(job))).toEqual([
      ['* * * * *'],
      ['* * * * * *'],
      ['every'],
      ['* * * * *'],
    ]);
    expect(jobIn(came, 'flags').script).toBe('/opt/flags -n');
    for (const change of [
      /^3 rest: "@300" counted from the end of the run before/,
      /^4 flags: the flag -n of its command is left out: no mail/,
      /^4 flags: the flag -s of its command is left out: one run at a time/,
    ])
      expect(came.changes).toContainEqual(expect.stringMatching(change));
  });

  it('whose zone is taken back has the system’s again, with no complaint', async () => {
    const came = await comesTo(
      lines('CRON_TZ=Asia/Tokyo', '0 9 * * * /opt/there', 'CRON_TZ=', '0 9 * * * /opt/here'),
      'crontab',
    );
    const elsewhere = jobIn(came, 'there').schedule.timezone;
    expect(elsewhere).toBe('Asia/Tokyo');
    expect(jobIn(came, 'here').schedule.timezone).not.toBe(elsewhere);
    expect(came.changes.filter((change) => /^[1-9]/.test(change))).toEqual([
      "1 -: CRON_TZ=Asia/Tokyo holds for the jobs below it, as in cronie; Debian's cron does not know it",
    ]);
  });

  it('keeps quotes, blanks, tabs, dollars and per cents as they were', async () => {
    const came = await comesTo(
      lines(
        'GREET = \'he said "hi"\'',
        'PATH=$HOME/bin:/usr/bin',
        'TRAIL=abc   ',
        '*/5\t*\t*\tjan-MAR,dec\tMon-Fri\techo "tab\tinside" # no comment ${HOME} \\% %first%%third\\%',
        '  0 4 * * *  FOO=bar BAZ="x y" /opt/with-variables',
        '0 5 * * * cd /srv && . ./env.sh; ./run.sh',
      ),
      'crontab',
    );
    expect(came.jobs.map(({ id }) => id)).toEqual(['echo', 'with-variables', 'run']);
    const first = jobIn(came, 'echo');
    expect(first).toMatchObject({
      script: 'echo "tab\tinside" # no comment ${HOME} % ',
      surroundings: {
        stdin: 'first\n\nthird%\n',
        env: { GREET: 'he said "hi"', PATH: '$HOME/bin:/usr/bin', TRAIL: 'abc' },
      },
    });
    expect(cronOf(first)).toEqual(['*/5 * * jan-MAR,dec Mon-Fri']);
    expect(jobIn(came, 'with-variables').script).toBe('FOO=bar BAZ="x y" /opt/with-variables');
  });

  it('of the system that is taken for a user’s is noticed', async () => {
    const text = lines('PATH=/bin', '*/5 *\t* * *\troot\ttest -x /a && /a', '@daily root /b');
    const asks = expect.stringMatching(/^2 -: each command begins with the name of a user .* with --system$/);
    expect((await comesTo(text, 'crontab')).changes).toContainEqual(asks);
    expect((await comesTo(text, 'crontab', { system: true })).changes).not.toContainEqual(asks);
    expect((await comesTo(`${text}0 1 * * * /c\n`, 'crontab')).changes).not.toContainEqual(asks);
  });

  it('of the system whose line ends with the user has no command there', async () => {
    const came = await comesTo('* * * * * root\n@hourly root:wheel true\n', 'crontab', { system: true });
    expect(came.changes).toContainEqual('1 -: not carried over, it has no command: * * * * * root');
    expect(came.jobs).toHaveLength(1);
  });
});

describe('yacron', () => {
  const beside = {
    'conf/base.yaml': lines(
      'include: [more/deep.yaml]',
      'defaults:',
      '  shell: /bin/bash',
      '  environment: [{ key: A, value: base }, { key: B, value: base }]',
      '  onFailure: { retry: { maximumRetries: 3, initialDelay: 7, maximumDelay: 70, backoffMultiplier: 1 } }',
      '  failsWhen: { producesStderr: false }',
      'jobs:',
      '  - { name: of-base, command: "true", schedule: "@daily" }',
    ),
    'conf/more/deep.yaml': lines(
      'include: [../base.yaml]',
      'defaults: { killTimeout: 0, shell: /bin/zsh, utc: false }',
      'jobs: [{ name: deep, command: "true", schedule: "61 * * * *" }]',
    ),
  };
  const main = lines(
    'include: [conf/base.yaml, gone.yaml]',
    'defaults:',
    '  environment: [{ key: A, value: own }]',
    '  onFailure: { retry: { maximumRetries: 5 } }',
    'jobs:',
    '  - name: heir',
    '    command: echo $A',
    '    schedule: { minute: 0, hour: "*/2", dayOfWeek: "mon-fri" }',
    '    onFailure: { retry: { initialDelay: 2 } }',
  );

  it('inherits key by key, through included files, whose jobs come too', async () => {
    const came = await comesTo(main, 'yacron', { beside });
    expect(came.jobs.map(({ id }) => id)).toEqual(['of-base', 'heir']);
    const heir = jobIn(came, 'heir');
    expect(cronOf(heir)).toEqual(['0 */2 * * mon-fri']);
    expect(heir).toMatchObject({
      task: { shell: ['/bin/bash', '-c'] },
      surroundings: { env: { A: 'own', B: 'base' } },
      policy: { killAfter: 0, retry: { limit: 5, delay: 2000, maxDelay: 70_000, backoff: 'constant' } },
    });
    expect(jobIn(came, 'of-base').policy.retry).toMatchObject({ limit: 3, delay: 7000 });
  });

  it('tells of each file what was not carried over', async () => {
    const { changes } = await comesTo(main, 'yacron', { beside });
    for (const change of [
      /^1 -: gone\.yaml cannot be read and is not carried over$/,
      /^conf\/more\/deep\.yaml:1 -: conf\/base\.yaml is included more than once/,
      /^conf\/more\/deep\.yaml:3 deep: not carried over: /,
      /^6 heir: any number could run at once; here no more than `max_instances`, 10$/,
    ])
      expect(changes).toContainEqual(expect.stringMatching(change));
    // `producesStderr: false` is inherited by all.
    expect(changes.filter((change) => change.includes('standard error'))).toEqual([]);
  });

  it('an included file that is no YAML is refused by its name', async () => {
    const broken = { 'conf/base.yaml': 'jobs: [\n' };
    await expect(comesTo(main, 'yacron', { beside: broken })).rejects.toThrow(/^conf\/base\.yaml, line 1: /);
  });
});

describe('CronJobs of Kubernetes', () => {
  const cronJob = (spec: readonly string[], pod: readonly string[] = []): string =>
    lines(
      'apiVersion: batch/v1',
      'kind: CronJob',
      'metadata: { generateName: made- }',
      'spec:',
      ...spec.map((line) => `  ${line}`),
      '  jobTemplate:',
      '    spec:',
      '      template:',
      '        spec:',
      ...pod.map((line) => `          ${line}`),
      '          containers: [{ name: c, image: i, command: [/bin/sh, -c, "a\\nb", 8080, true] }]',
    );

  it.each([
    ['TZ=Europe/Madrid 0 3 * * *', '0 3 * * *', 'Europe/Madrid'],
    ['CRON_TZ=Asia/Tokyo 15 2 1 JAN-MAR ?', '15 2 1 JAN-MAR ?', 'Asia/Tokyo'],
    ['@weekly', '@weekly', 'UTC'],
  ])('with the schedule %s', async (schedule, cron, timezone) => {
    const came = await comesTo(cronJob([`schedule: "${schedule}"`]), 'kubernetes');
    expect(cronOf(jobIn(came, 'made'))).toEqual([cron]);
    expect(jobIn(came, 'made')).toMatchObject({
      schedule: { timezone },
      task: { argv: ['/bin/sh', '-c', 'a\nb', '8080', 'true'] },
    });
  });

  it('with policy, deadline, zone and suspend, and with what is not carried over', async () => {
    const came = await comesTo(
      cronJob(
        [
          'schedule: "*/10 * * * *"',
          'timeZone: Etc/UTC',
          'startingDeadlineSeconds: 5',
          'concurrencyPolicy: Replace',
          'suspend: true',
        ],
        [
          'terminationGracePeriodSeconds: 0',
          'hostNetwork: true',
          'tolerations: [{ key: a }]',
          'securityContext: { runAsUser: 1000, runAsGroup: 3000 }',
        ],
      ),
      'kubernetes',
    );
    expect(jobIn(came, 'made')).toMatchObject({
      enabled: false,
      schedule: { timezone: 'Etc/UTC' },
      policy: { overlap: 'replace', misfire: { run: 'latest', grace: 5000 }, killAfter: 0 },
    });
    for (const change of [
      /^15 made: hostNetwork: not carried over$/,
      /^16 made: tolerations: not carried over$/,
      /^17 made: runAsGroup: not carried over$/,
      /^17 made: runAsUser 1000 is a user of this machine here$/,
    ])
      expect(came.changes).toContainEqual(expect.stringMatching(change));
  });

  it('a template is asked to be rendered first', async () => {
    const text = cronJob(['schedule: {{ .Values.schedule }}']);
    await expect(comesTo(text, 'kubernetes')).rejects.toThrow(NotImported);
    await expect(comesTo(text, 'kubernetes')).rejects.toThrow(
      /^line 5: .*; it is a template: render it first/,
    );
  });
});
