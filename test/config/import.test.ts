/** Job files of other schedulers: what they come to is good, means the same, or is said to mean something else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { translateCron, type Dialect } from '../../src/config/import/foreign-cron.ts';
import { kindOf, NotImported } from '../../src/config/import/import-file.ts';
import { nameOf } from '../../src/config/import/job-name.ts';
import { readCron } from '../../src/schedule/cron.ts';
import { comesTo, cronOf, fixture, jobIn } from './imported.ts';

describe('a crontab', () => {
  it('of a user: schedules, variables from their line on, input, comments', async () => {
    const came = await comesTo(fixture('user.crontab'), 'crontab');
    expect(came.jobs.map(({ id }) => id)).toEqual(
      'pg_dump check warm-up cleanup echo echo-2 mail say check-2'.split(' '),
    );
    const backup = jobIn(came, 'pg_dump');
    expect(backup).toMatchObject({
      description: 'A copy of the database, every night',
      script: 'pg_dump mydb | gzip > /var/backups/db-$(date +%F).sql.gz',
    });
    expect(backup.surroundings.env).toEqual({ PATH: '/usr/local/bin:/usr/bin:/bin' });
    expect(cronOf(jobIn(came, 'check'))).toEqual(['0 * * * *']);
    expect(cronOf(jobIn(came, 'warm-up'))).toEqual(['startup']);
    expect(jobIn(came, 'mail').surroundings.stdin).toBe('Dear boss,\nall is well.\n');
    expect(jobIn(came, 'mail').schedule.timezone).toBe('UTC');
    const say = jobIn(came, 'say');
    expect(say.schedule.timezone).toBe('America/New_York');
    expect(say.task).toMatchObject({ shell: ['/bin/bash', '-c'] });
    expect(say.surroundings.env).toMatchObject({ GREETING: "hello ${USER} 'n' all" });
    expect(jobIn(came, 'check-2').schedule.timezone).toBe('UTC');
    expect(came.text).toContain('# notify: cron mailed its output to ops@example.com\n  say:');
    expect(came.text).not.toContain('ops@example.com\n  check-2:');
  });

  it('of a user: every meaning that changes, with its line', async () => {
    const { changes, jobs, text } = await comesTo(fixture('user.crontab'), 'crontab');
    expect(changes.filter((line) => !line.startsWith('0 '))).toEqual([
      expect.stringMatching(/^5 -: MAILTO=ops@example\.com: output is no longer mailed/),
      expect.stringMatching(/^11 warm-up: "@reboot"/),
      expect.stringMatching(
        /^14 echo-2: .* both match; here it would when either does, so the job is disabled/,
      ),
      expect.stringMatching(/^17 -: CRON_TZ=America\/New_York holds for the jobs below it/),
      expect.stringMatching(/^21 -: CRON_TZ=Mars\/Olympus is no time zone/),
      expect.stringMatching(/^23 -: not carried over, the minute field takes 0-59, got 61: 61 5/),
      expect.stringMatching(/^24 -: not carried over, it has no command: 0 5/),
      expect.stringMatching(/^25 -: not carried over, it has too few fields: just some words/),
    ]);
    expect(jobs.filter(({ enabled }) => !enabled).map(({ id }) => id)).toEqual(['echo-2']);
    expect(text).toContain('# Not carried over from line 23: 61 5 * * * never');
    expect(text).toContain('# 0 3 * * * /opt/disabled.sh');
  });

  it('of the system: users, their homes, delays', async () => {
    const came = await comesTo(fixture('system.crontab'), 'crontab', { system: true });
    expect(came.jobs.map(({ id, surroundings: { user, cwd } }) => [id, user, cwd])).toEqual([
      ['cron.hourly', 'root', '/root'],
      ['cron.daily', 'root', '/root'],
      ['debian-sa1', 'nosuchuser', '/'],
      ['cron', 'www-data', '/'],
    ]);
    expect(came.jobs.map((job) => job.schedule.jitter)).toEqual([900_000, 900_000, 900_000, 900_000]);
    expect(came.changes).toContainEqual(
      expect.stringMatching(/^12 debian-sa1: .* home directory of nosuchuser/),
    );
    expect(came.changes).toContainEqual(expect.stringMatching(/^10 cron\.hourly: RANDOM_DELAY/));
  });

  it('of supercronic: seconds, variables of the whole file, no input after %', async () => {
    const came = await comesTo(fixture('supercronic.crontab'), 'supercronic');
    expect(came.jobs.map((job) => [job.id, cronOf(job)])).toEqual([
      ['echo', ['*/5 * * * * *']],
      ['twenty', ['5/20 * * * *']],
      ['date', ['0 12 * * *']],
      ['curl', ['@hourly']],
    ]);
    expect(came.jobs.map(({ surroundings }) => surroundings.env)).toEqual(
      Array.from({ length: 4 }, () => ({ FOO: 'baz' })),
    );
    expect(jobIn(came, 'date').script).toBe('date +%F');
    expect(came.changes).toContainEqual(
      '5 -: not carried over, it names a year, which cron expressions of tsched do not have: 0 12 * * * 2030 year',
    );
  });
});

describe('yacron', () => {
  it('is carried over, with what cannot be', async () => {
    const came = await comesTo(fixture('yacron.yaml'), 'yacron');
    const first = jobIn(came, 'test-01');
    expect(first).toMatchObject({
      script: 'echo "hello ${WORLD}" 1>&2\nsleep 1\n\nexit 10\n',
      schedule: { timezone: 'UTC' },
      policy: {
        overlap: 'allow',
        killAfter: 30_000,
        retry: { limit: 10, delay: 1000, maxDelay: 30_500, backoff: 'exponential', jitter: false },
      },
    });
    const second = jobIn(came, 'test-01-2');
    expect(cronOf(second)).toEqual(['30 9 * * 5L']);
    expect(second).toMatchObject({
      enabled: false,
      task: { kind: 'command', argv: ['echo', 'foobar', 'a: b #c'] },
      schedule: { timezone: 'America/Los_Angeles' },
      policy: { overlap: 'skip', timeout: 3_600_000, killAfter: 500 },
    });
    expect(jobIn(came, 'both').enabled).toBe(false);
    for (const change of [
      /^7 test-01: output on standard error is no failure here/,
      /^18 test-01: the report of onFailure/,
      /^33 both: "statsd" is not carried over/,
      /^34 once: not carried over: it names a year/,
      /^41 -: "web" at the top/,
    ])
      expect(came.changes).toContainEqual(expect.stringMatching(change));
  });
});

describe('CronJobs of Kubernetes', () => {
  it('are carried over, with what cannot be', async () => {
    const came = await comesTo(fixture('cronjobs.yaml'), 'kubernetes');
    expect(came.jobs.map(({ id }) => id)).toEqual(['backup', 'backup-2']);
    expect(jobIn(came, 'backup')).toMatchObject({
      task: { kind: 'command', argv: ['pg_dump', '--file=/backup/$(NAME).sql', 'mydb'] },
      surroundings: { cwd: '/backup', env: { PGHOST: 'db.internal' } },
      schedule: { timezone: 'Europe/Berlin' },
      policy: {
        overlap: 'skip',
        misfire: { run: 'latest', grace: 600_000 },
        retry: { limit: 2, delay: 10_000 },
        timeout: 3_600_000,
      },
    });
    const second = jobIn(came, 'backup-2');
    expect(second.enabled).toBe(false);
    expect(second.schedule.triggers).toMatchObject([{ kind: 'every', period: 5_400_000 }]);
    expect(second.task).toMatchObject({ argv: ['sh', '-c', 'echo ${HOME} $PATH; date'] });
    for (const change of [
      /^13 backup: activeDeadlineSeconds/,
      /^26 backup: the variable PGPASSWORD/,
      /^28 backup: the container "proxy"/,
      /^39 backup-2: "@every"/,
      /^52 entry-point: not carried over: what it runs is written in its image/,
      /^54 -: ConfigMap is no CronJob/,
    ])
      expect(came.changes).toContainEqual(expect.stringMatching(change));
  });
});

describe('what is no such file', () => {
  it.each(['kubernetes', 'yacron'] as const)('broken YAML is refused with its line: %s', async (kind) => {
    await expect(comesTo('jobs:\n  - name: a\n  b: [', kind)).rejects.toThrow(/^line [34]: /);
  });

  it('a NUL is no text', async () => {
    await expect(comesTo('* * * * * a\0b', 'crontab')).rejects.toThrow(NotImported);
  });

  it.each([
    ['user.crontab', 'crontab'],
    ['system.crontab', 'crontab'],
    ['yacron.yaml', 'yacron'],
    ['cronjobs.yaml', 'kubernetes'],
  ])('%s is told from what is in it', (name, kind) => expect(kindOf(fixture(name))).toBe(kind));
});

describe('expressions', () => {
  it.each<[string, Dialect, unknown]>([
    ['*/90 * * * *', 'vixie', { cron: '0 * * * *' }],
    ['0 0 * * 5-7', 'vixie', { cron: '0 0 * * 5-7' }],
    ['0 0 */1 * 1', 'vixie', { cron: '0 0 * * 1' }],
    ['0 0 1 * */2', 'vixie', { cron: '0 0 1 * */2', enabled: false }],
    ['0 0 */2 * 1', 'robfig', { cron: '0 0 */2 * 1' }],
    ['0 0 1 * 1', 'cronexpr', { cron: '0 0 1 * 1' }],
    ['0 0 1 * 1', 'parse-crontab', { cron: '0 0 1 * 1', enabled: false }],
    ['10~20 3 * * *', 'vixie', { cron: 'H(10-20) 3 * * *' }],
    ['@Midnight', 'robfig', { cron: '@midnight' }],
    ['@every 1m30s', 'robfig', { every: '1m30s' }],
    ['@every 2h0m0s', 'robfig', { every: '2h' }],
    ['0 9 * * monday', 'vixie', { cron: '0 9 * * 1' }],
  ])('%s of %s', (expression, dialect, fields) => {
    expect(translateCron(expression, dialect)).toMatchObject({ fields });
  });

  it.each(['* * * *', '61 * * * *', '@fortnightly', '@every soon', '*/0 * * * *', '0 0 30 2 *'])(
    '%s is refused',
    (text) => {
      expect(translateCron(text, 'vixie')).toEqual(expect.any(String));
    },
  );

  it('of cron have the same minutes, hours and weekdays here', () => {
    const field = (max: number) => {
      const range = fc.tuple(fc.nat(max), fc.nat(max)).map((pair) => pair.toSorted((a, b) => a - b));
      const item = fc.tuple(fc.option(range), fc.option(fc.integer({ min: 1, max: 100 })));
      return fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => ({
        text: items
          .map(
            ([bounds, step]) =>
              `${bounds === null ? '*' : bounds.join('-')}${step === null ? '' : `/${step}`}`,
          )
          .join(','),
        values: items.flatMap(([bounds, step]) => {
          const [from = 0, to = max === 7 ? 6 : max] = bounds ?? [];
          return Array.from({ length: to - from + 1 }, (_, index) => from + index).filter(
            (value) => (value - from) % (step ?? 1) === 0,
          );
        }),
      }));
    };
    const sorted = (values: readonly number[]): number[] => [...new Set(values)].toSorted((a, b) => a - b);
    fc.assert(
      fc.property(field(59), field(23), field(7), (minute, hour, weekday) => {
        const came = translateCron(`${minute.text} ${hour.text} * * ${weekday.text}`, 'vixie');
        if (typeof came === 'string') throw new Error(came);
        const { cron } = came.fields;
        const { fields } = readCron(typeof cron === 'string' ? cron : '', '');
        expect(fields?.minutes).toEqual(sorted(minute.values));
        expect(fields?.hours).toEqual(sorted(hour.values));
        expect(fields?.weekdays).toEqual(sorted(weekday.values.map((value) => value % 7)));
      }),
    );
  });
});

describe('whatever stands in a crontab', () => {
  it('comes to a file that loads, with each command as it was', async () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    const command = word.filter(
      (text) => !/[%\0\n\r\\]/.test(text) && text.trim() !== '' && text.trimStart() === text,
    );
    const line = fc.oneof(
      command.map((text) => ({ text: `*/5 * * * * ${text}`, command: text })),
      word.map((text) => ({ text: `NAME=${text.replaceAll(/[\n\r\0]/g, '')}`, command: undefined })),
      word.map((text) => ({ text: `# ${text.replaceAll(/[\n\r\0]/g, '')}`, command: undefined })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
        const { jobs } = await comesTo(lines.map(({ text }) => text).join('\n'), 'crontab');
        const scripts = jobs.map(({ task }) => (task.kind === 'run' ? task.script : undefined));
        expect(scripts).toEqual(lines.map((each) => each.command).filter((text) => text !== undefined));
        expect(new Set(jobs.map(({ id }) => id)).size).toBe(jobs.length);
      }),
    );
  });
});

describe('the name of a job', () => {
  it.each([
    ['/usr/bin/certbot -q renew', 'certbot'],
    ['cd /srv/app && ./bin/cleanup.sh --all', 'cleanup'],
    ['test -x /usr/sbin/anacron || run-parts /etc/cron.daily', 'cron.daily'],
    ['FOO=1 nice -n 10 /usr/bin/php /var/www/cron.php', 'cron'],
    ['[ -f /x ] && sudo -u www /opt/report.py', 'report'],
    ['true', ''],
    ['>/dev/null 2>&1', ''],
  ])('%s: %s', (command, name) => expect(nameOf(command)).toBe(name));
});
