/** The installed unit in a real systemd. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bin } from '../../support/daemon.ts';
import {
  bootBox,
  endBox,
  eventually,
  inBox,
  install,
  journal,
  read,
  show,
  whyNoBox,
  write,
} from '../../support/systemd-box.ts';

const why = whyNoBox();
const BOOK = '/var/lib/tsched/book';
const line = `echo "$TSCHED_JOB_ID $TSCHED_SCHEDULED_AT $TSCHED_RUN_ID" >> ${BOOK}`;
const noon = { cron: '0 12 * * *', timezone: 'UTC', run: 'true' };

const start = (): string => inBox(['systemctl', 'start', 'tsched']);
const mainPid = (): number => Number(show('MainPID'));
/** Not `is-active`: that is true of a daemon that systemd is about to notice the end of. */
const another = (pid: number) => (): number | false => {
  const now = mainPid();
  return now !== 0 && now !== pid && show('ActiveState') === 'active' && now;
};

/** Of each daemon of the service: what systemd says how it ended. */
const RESULTS = '/run/tsched-results';
const tellsResult = `ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT $EXIT_STATUS >> ${RESULTS}'`;
const results = (): string[] => read(RESULTS).split('\n').slice(0, -1);

interface Execution {
  readonly job: string;
  readonly slot: number;
}

function executions(job: string): Execution[] {
  return read(BOOK)
    .split('\n')
    .map((text) => text.split(' '))
    .filter(([name]) => name === job)
    .map(([name = '', at = '']) => ({ job: name, slot: Date.parse(at) }));
}

const skipped = why === undefined ? '' : ` (skipped: ${why})`;

describe.skipIf(why !== undefined)(`in a real systemd${skipped}`, () => {
  beforeAll(() => {
    bootBox();
    inBox(['useradd', '--system', 'scheduler']);
  });
  afterAll(endBox);

  it.each([
    ['root', ''],
    ['a user', 'User=scheduler\nCapabilityBoundingSet='],
    ['a dynamic user', 'User=\nDynamicUser=yes'],
  ])(
    'as %s: active by READY=1, next fire in its status, reloads, tells errors, stops',
    async (as, identity) => {
      const jobs = { noon, fails: { startup: 'daemon', run: 'id -un; exit 3', output: { log: 'all' } } };
      install({ jobs }, `${identity}\nEnvironment=TSCHED_NO_WATCH=1`);
      // Of a service of Type=notify this returns, and well, when it has said READY=1, and not before.
      start();
      expect(show('Type')).toBe('notify');
      expect(show('ActiveState')).toBe('active');
      const status = (): string => inBox(['systemctl', 'status', '--no-pager', 'tsched']);
      expect(status()).toMatch(/Status: "2 jobs, next: noon at (?:\w{3} )?12:00 \(in \d+[hms]/);
      expect(inBox(['ps', '-o', 'user:20=', '-p', String(mainPid())]).trim()).toBe(
        { root: 'root', 'a user': 'scheduler' }[as] ?? 'tsched',
      );
      await eventually('the failure', () => journal('-p', 'err').includes('fails: failed with exit code 3'));
      expect(journal('-p', 'err')).not.toContain('started');

      const later = { at: '2099-01-01T00:00:00Z', timezone: 'UTC', run: 'true' };
      write('/etc/tsched/jobs.yaml', JSON.stringify({ jobs: { later } }));
      inBox(['systemctl', 'reload', 'tsched']);
      await eventually('the edit', () =>
        status().includes('Status: "1 job, next: later at 1 Jan 2099 00:00'),
      );
      expect(show('ActiveState')).toBe('active');
      write('/etc/tsched/jobs.yaml', 'jobs: [');
      inBox(['systemctl', 'reload', 'tsched']);
      const refused = 'the job file has an error; the jobs loaded before stay';
      await eventually('the refusal', () => status().includes(refused));

      inBox(['systemctl', 'stop', 'tsched']);
      expect([show('ActiveState'), show('Result')]).toEqual(['inactive', 'success']);
    },
  );

  it('of a user: the unit of `install --user` under systemctl --user', () => {
    inBox(['useradd', '--create-home', 'me']);
    const id = inBox(['id', '-u', 'me']).trim();
    const runtime = `/run/user/${id}`;
    inBox(['install', '-d', '-o', 'me', '-m', '0700', runtime]);
    inBox(['systemctl', 'start', `user@${id}`]);
    const asMe = (...command: string[]): string => {
      const identity = ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--init-groups'];
      const variables = ['HOME=/home/me', `XDG_RUNTIME_DIR=${runtime}`];
      return inBox([...identity, 'env', '--chdir=/home/me', ...variables, ...command]);
    };
    const jobs = '/home/me/.config/tsched/jobs.yaml';
    asMe('mkdir', '-p', '/home/me/.config/tsched');
    write(jobs, JSON.stringify({ jobs: { noon } }));
    expect(asMe(process.execPath, bin, 'install', '--user')).toContain(`tsched validate ${jobs}`);
    asMe('systemctl', '--user', 'daemon-reload');
    asMe('systemctl', '--user', 'start', 'tsched');
    const shown = (property: string): string =>
      asMe('systemctl', '--user', 'show', '--value', '-p', property, 'tsched').trim();
    expect([shown('Type'), shown('ActiveState')]).toEqual(['notify', 'active']);
    expect(shown('StatusText')).toMatch(/^1 job, next: noon at /);
    asMe('systemctl', '--user', 'stop', 'tsched');
    expect([shown('ActiveState'), shown('Result')]).toEqual(['inactive', 'success']);
  });

  it.each([
    ['root', ''],
    ['a dynamic user', 'User=\nDynamicUser=yes'],
  ])('as %s: jobs get credentials that only the unit can read, by env_file and from', async (_, identity) => {
    const run = 'echo "it is $TOKEN $PLAIN"';
    const given = {
      env_file: '${CREDENTIALS_DIRECTORY}/token',
      env: { PLAIN: { from: '${CREDENTIALS_DIRECTORY}/plain' } },
    };
    const jobs = { uses: { startup: 'daemon', ...given, run, output: { log: 'all' } } };
    inBox(['mkdir', '-p', '-m', '0700', '/etc/secrets']);
    write('/etc/secrets/token', 'TOKEN=from-the-credential\n');
    write('/etc/secrets/plain', 'and another\n');
    inBox(['chmod', '-R', 'go=', '/etc/secrets']);
    const load = ['token', 'plain'].map((name) => `LoadCredential=${name}:/etc/secrets/${name}`);
    install({ jobs }, [identity, ...load].join('\n'));
    start();
    await eventually('the job', () => journal().includes('it is from-the-credential and another'));
    expect(journal('-p', 'warning')).toBe('');
    inBox(['systemctl', 'stop', 'tsched']);
  });

  it('is not taken for active before it says so', () => {
    install({ jobs: { noon } }, 'OpenFile=\nEnvironment=PATH=/nowhere\nTimeoutStartSec=10s\nRestart=no');
    inBox(['systemctl', 'start', 'tsched'], { mayFail: true });
    expect(show('ActiveState')).toBe('failed');
    expect(show('Result')).toMatch(/timeout|protocol/);
    expect(journal()).toContain('started with 1 job');
    expect(journal('-p', 'err')).toContain('cannot be told anything: there is no program systemd-notify');
  });

  it('a loop that stands still for longer than the watchdog’s time is ended and begun again; its jobs go on', async () => {
    const done = `${BOOK}.done`;
    const jobs = {
      noon,
      long: { startup: 'boot', run: `until [ -e ${BOOK}.go ]; do sleep 0.1; done; echo done >> ${done}` },
    };
    install({ jobs }, `WatchdogSec=5s\nRestartSec=100ms\n${tellsResult}`);
    start();
    const pid = mainPid();
    await eventually('the job to run', () => journal().includes('long: started'));
    // First that it lives when nobody stops it: for three times as long as the watchdog has patience.
    const fedAt = Number(show('WatchdogTimestampMonotonic'));
    await eventually(
      'to be fed for a while',
      () => Number(show('WatchdogTimestampMonotonic')) - fedAt > 15_000_000,
    );
    expect(mainPid()).toBe(pid);
    inBox(['kill', '-STOP', String(pid)]);
    await eventually('another daemon', another(pid));
    expect(results()).toEqual(['watchdog ABRT']);
    expect(Number(show('NRestarts'))).toBe(1);
    await eventually('the job to be taken up', () => journal().includes('still running, taken over'));
    write(`${BOOK}.go`, '');
    await eventually('its end', () => journal().includes('long: succeeded'));
    expect(read(done)).toBe('done\n');
    inBox(['systemctl', 'stop', 'tsched']);
  });

  it('killed at any moment, it is begun again, loses nothing and repeats nothing', async () => {
    const every = {
      every: '1s',
      misfire: { run: 'all', grace: '1h' },
      overlap: 'allow',
      max_instances: 50,
    };
    const jobs = { tick: { ...every, run: line }, long: { startup: 'boot', run: `sleep 8; ${line}` } };
    install({ jobs }, `RestartSec=1s\n${tellsResult}`);
    start();
    for (let kills = 0; kills < 3; kills += 1) {
      const pid = mainPid();
      const before = executions('tick').length;
      await eventually('a few ticks', () => executions('tick').length > before + 2);
      inBox(['kill', '-KILL', String(pid)]);
      await eventually('another daemon', another(pid));
    }
    expect(Number(show('NRestarts'))).toBe(3);
    await eventually('the end of the long job', () => executions('long').length > 0);
    const enough = executions('tick').length + 3;
    await eventually('more ticks', () => executions('tick').length >= enough);
    inBox(['systemctl', 'stop', 'tsched']);
    expect(executions('long')).toHaveLength(1);
    const slots = executions('tick')
      .map(({ slot }) => slot)
      .sort((a, b) => a - b);
    const first = slots[0] ?? 0;
    expect(slots).toEqual(slots.map((_, index) => first + index * 1000));
    expect(results()).toEqual([...Array.from({ length: 3 }, () => 'signal KILL'), 'success 0']);
  });

  it('a stop waits for jobs as long as --drain allows, though systemd’s own patience is shorter', async () => {
    const jobs = {
      patient: { startup: 'daemon', run: `touch ${BOOK}.begun; sleep 15; echo done > ${BOOK}.done` },
    };
    install({ jobs }, 'TimeoutStopSec=5s\nEnvironment=TSCHED_DRAIN=1h');
    start();
    await eventually('the job to run', () => journal().includes('patient: started'));
    inBox(['systemctl', 'stop', 'tsched']);
    expect([show('ActiveState'), show('Result')]).toEqual(['inactive', 'success']);
    expect(read(`${BOOK}.done`)).toBe('done\n');
    expect(journal()).toContain('patient: succeeded');
  });

  it.each([
    ['process', true],
    ['mixed', false],
  ])('KillMode=%s lets jobs with on_shutdown: leave live through a restart: %s', async (mode, lives) => {
    const jobs = { left: { startup: 'boot', on_shutdown: 'leave', run: `sleep 12; ${line}` } };
    install({ jobs }, `KillMode=${mode}`);
    start();
    await eventually('the job to run', () => journal().includes('left: started'));
    inBox(['systemctl', 'restart', 'tsched']);
    await eventually('its end', () => /left: (?!started|left by).*/.test(journal()));
    expect(executions('left')).toHaveLength(lives ? 1 : 0);
    expect(journal().includes('left: left by an earlier daemon: still running, taken over')).toBe(lives);
    inBox(['systemctl', 'stop', 'tsched']);
  });

  it('a bad job file is for a person to mend: no restarts', () => {
    install({ jobs: { noon: { ...noon, cron: 'nonsense' } } });
    inBox(['systemctl', 'start', 'tsched'], { mayFail: true });
    expect([show('ActiveState'), show('NRestarts'), show('ExecMainStatus')]).toEqual(['failed', '0', '78']);
    expect(journal()).toContain('jobs.noon.cron');
  });
});
