import { describe, expect, it } from 'vitest';
import { Files, lines } from './support.ts';

const JOB = 'jobs:\n  j:\n    every: 1h\n    run: x\n';
const HOUR = 3_600_000;

describe('a job that says nothing more', () => {
  it('gets the documented defaults', async () => {
    using files = new Files();
    expect(await files.job(JOB)).toEqual({
      id: 'j',
      source: { file: files.path('jobs.yaml'), line: 2 },
      tags: [],
      enabled: true,
      schedule: {
        triggers: [{ kind: 'every', period: HOUR, anchor: 0 }],
        timezone: 'UTC',
        dst: {},
        jitter: 0,
      },
      task: { kind: 'run', script: 'x', shell: ['/bin/sh', '-c'] },
      surroundings: { cwd: files.directory, env: {}, inheritEnv: true, limits: {} },
      policy: {
        misfire: { run: 'latest', grace: HOUR, max: 100 },
        overlap: 'skip',
        maxInstances: 1,
        retry: { limit: 0, delay: 10_000, backoff: 'exponential', maxDelay: 300_000, jitter: true },
        killAfter: 10_000,
        killSignal: 'TERM',
        onShutdown: 'wait',
        successExitCodes: [0],
        priority: 0,
      },
      output: { maxSize: 10_000_000, keep: 10, log: 'failures' },
    });
  });

  it('as a module, is called by its default export in a process of its own', async () => {
    using files = new Files();
    const { task } = await files.job('jobs:\n  j: { every: 1h, module: ./t.ts }\n');
    const path = files.path('t.ts');
    expect(task).toEqual({ kind: 'module', path, exportName: 'default', isolation: 'process', with: {} });
  });
});

describe('keys mean', () => {
  it('what the reference says', async () => {
    using files = new Files();
    const job = await files.job(`jobs:
  j:
    description: All of it
    tags: [a, b]
    enabled: false
    cron: ["0 9 * * *", "@daily"]
    every: 90m
    anchor: 2026-01-01T00:05:00
    at: 2027-01-31T02:00:00+01:00
    startup: boot
    timezone: Asia/Shanghai
    start: 2026-07-01T00:00:00
    end: 2027-07-01T00:00:00Z
    jitter: 5m
    dst: { gap: skip, overlap: both }
    run: |
      echo "\${HOME}"
    shell: [/bin/bash, -euo, pipefail, -c]
    env: { A: b }
    inherit_env: false
    cwd: sub
    user: 1000
    group: www-data
    umask: 027
    nice: 5
    limits: { cpu: 1m30s, memory: 1GiB, file_size: 5KB, open_files: 64, processes: 10, core: 0B }
    stdin: "\${NOT}"
    misfire: { run: all }
    overlap: allow
    retry: { limit: 2, delay: 10m, backoff: linear, jitter: false, on: [75, KILL, SIGINT, timed_out] }
    timeout: 1h
    kill_after: 0s
    kill_signal: SIGINT
    on_shutdown: leave
    success_exit_codes: [0, 3]
    priority: -5
    output: { max_size: 1MB, keep: 3, log: all }
`);
    expect(job).toMatchObject({
      description: 'All of it',
      tags: ['a', 'b'],
      enabled: false,
      schedule: {
        triggers: [
          { kind: 'cron', expressions: ['0 9 * * *', '@daily'] },
          { kind: 'every', period: 90 * 60_000, anchor: Date.parse('2026-01-01T00:05:00+08:00') },
          { kind: 'at', instants: [Date.parse('2027-01-31T01:00:00Z')] },
          { kind: 'startup', when: 'boot' },
        ],
        timezone: 'Asia/Shanghai',
        start: Date.parse('2026-07-01T00:00:00+08:00'),
        end: Date.parse('2027-07-01T00:00:00Z'),
        jitter: 300_000,
        dst: { gap: 'skip', overlap: 'both' },
      },
      task: { kind: 'run', script: 'echo "${HOME}"\n', shell: ['/bin/bash', '-euo', 'pipefail', '-c'] },
      surroundings: {
        cwd: files.path('sub'),
        env: { A: 'b' },
        inheritEnv: false,
        user: '1000',
        group: 'www-data',
        umask: 0o027,
        nice: 5,
        limits: { cpu: 90, memory: 2 ** 30, file_size: 5000, open_files: 64, processes: 10, core: 0 },
        stdin: '${NOT}',
      },
      policy: {
        misfire: { run: 'all', max: 100 },
        overlap: 'allow',
        maxInstances: 10,
        retry: {
          limit: 2,
          delay: 600_000,
          backoff: 'linear',
          maxDelay: 600_000,
          jitter: false,
          on: [75, 'SIGKILL', 'SIGINT', 'timed_out'],
        },
        timeout: HOUR,
        killAfter: 0,
        killSignal: 'INT',
        onShutdown: 'leave',
        successExitCodes: [0, 3],
        priority: -5,
      },
      output: { maxSize: 1_000_000, keep: 3, log: 'all' },
    });
    expect(job.policy.misfire).not.toHaveProperty('grace');
  });

  it.each([
    [
      'retry: 3',
      { retry: { limit: 3, delay: 10_000, backoff: 'exponential', maxDelay: 300_000, jitter: true } },
    ],
    ['misfire: none', { misfire: { run: 'none', grace: HOUR, max: 100 } }],
    ['misfire: { run: all, grace: 1d }', { misfire: { run: 'all', grace: 24 * HOUR, max: 100 } }],
    ['overlap: allow\n    max_instances: 3', { overlap: 'allow', maxInstances: 3 }],
    ['success_exit_codes: 7', { successExitCodes: [7] }],
  ])('their short forms: %s', async (key, policy) => {
    using files = new Files();
    expect((await files.job(`${JOB}    ${key}\n`)).policy).toMatchObject(policy);
  });

  it.each([
    ['umask: 022', 0o022],
    ['umask: "022"', 0o022],
    ['umask: 77', 0o077],
    ['umask: 0o027', 0o027],
  ])('octal: %s', async (key, umask) => {
    using files = new Files();
    expect((await files.job(`${JOB}    ${key}\n`)).surroundings.umask).toBe(umask);
  });

  it('a local time in the zone of the job, the default anchor too', async () => {
    using files = new Files();
    const job = await files.job('timezone: Europe/Berlin\njobs:\n  j: { every: 1h, run: x }\n');
    expect(job.schedule.triggers).toEqual([{ kind: 'every', period: HOUR, anchor: -HOUR }]);
    expect(job.schedule.timezone).toBe('Europe/Berlin');
  });

  it('the zone of the host where the file names none', async () => {
    using files = new Files();
    const file = await files.loaded(JOB, { hostTimezone: 'America/New_York' });
    expect([file.timezone, file.jobs[0]?.schedule.timezone]).toEqual([
      'America/New_York',
      'America/New_York',
    ]);
  });

  it('the same behind a byte order mark and with CRLF', async () => {
    using files = new Files();
    expect(await files.job(`\ufeff${JOB.replaceAll('\n', '\r\n')}`)).toEqual(await files.job(JOB));
  });

  it('the same written with anchors and merge keys', async () => {
    using files = new Files();
    const job = await files.job(
      'defaults: &d { timeout: 5m }\njobs:\n  j: { <<: *d, every: 1h, run: x, timeout: 1m }\n',
    );
    expect(job.policy.timeout).toBe(60_000);
  });

  it('no jobs where the file says so', async () => {
    using files = new Files();
    expect((await files.loaded('jobs: {}\n')).jobs).toEqual([]);
  });
});

describe('defaults', () => {
  it("give way to a job's own keys; maps merge, lists replace", async () => {
    using files = new Files();
    const job = await files.job(`defaults:
  timeout: 1h
  retry: { limit: 5, delay: 1m }
  tags: [a, b]
  env: { A: default, B: default }
  misfire: none
jobs:
  j: { every: 1h, run: x, retry: 2, tags: [c], env: { A: own }, misfire: { max: 5 } }
`);
    expect(job.policy).toMatchObject({
      timeout: HOUR,
      retry: { limit: 2, delay: 60_000 },
      misfire: { run: 'none', max: 5 },
    });
    expect(job.tags).toEqual(['c']);
    expect(job.surroundings.env).toEqual({ A: 'own', B: 'default' });
  });

  it('of trigger and task hold only for jobs that have none', async () => {
    using files = new Files();
    const file = await files.loaded(
      'defaults: { every: 1h, run: x }\njobs:\n  a: {}\n  b: { cron: "0 5 * * *", command: [y] }\n',
    );
    expect(
      file.jobs.map(({ schedule, task }) => [schedule.triggers.map(({ kind }) => kind), task.kind]),
    ).toEqual([
      [['every'], 'run'],
      [['cron'], 'command'],
    ]);
  });
});

describe('jobs written alike', () => {
  it('share their parts', async () => {
    using files = new Files();
    const one = 'cron: "0 5 * * *", run: x, timeout: 1h, tags: [t], env: { A: b }';
    const { jobs } = await files.loaded(`jobs:\n  a: { ${one} }\n  b: { ${one} }\n`);
    const [a, b] = jobs;
    for (const part of ['schedule', 'policy', 'surroundings', 'output', 'tags'] as const)
      expect(a?.[part]).toBe(b?.[part]);
    expect(a?.schedule).toBeDefined();
  });
});

describe('variables', () => {
  const environment = { ZONE: 'Asia/Tokyo', EMPTY: '', EVIL: 'x, jobs: { k: 1 } # "', N: '3', T: 'true' };

  it('are replaced in values, and the result is never read as YAML', async () => {
    using files = new Files();
    const job = await files.job(
      `${JOB}    timezone: \${ZONE}
    description: "\${EVIL} \${EMPTY:-fallback} \${UNSET:-} $\${ZONE} $ZONE"
    max_instances: \${N}
    enabled: \${T}
    kill_after: \${UNSET:-15s}
    env: { A: "\${ZONE}" }
`,
      { environment },
    );
    expect(job).toMatchObject({
      description: 'x, jobs: { k: 1 } # " fallback  ${ZONE} $ZONE',
      schedule: { timezone: 'Asia/Tokyo' },
      policy: { maxInstances: 3, killAfter: 15_000 },
      enabled: true,
      surroundings: { env: { A: 'Asia/Tokyo' } },
    });
  });

  it('stay in run, command and stdin, which belong to others', async () => {
    using files = new Files();
    const { jobs } = await files.loaded(
      'jobs:\n  a: { every: 1h, run: "echo ${ZONE}", stdin: "${ZONE}" }\n  b: { every: 1h, command: [x, "${ZONE}"] }\n',
      { environment },
    );
    expect(jobs.map(({ task }) => task)).toMatchObject([
      { script: 'echo ${ZONE}' },
      { argv: ['x', '${ZONE}'] },
    ]);
    expect(jobs[0]?.surroundings.stdin).toBe('${ZONE}');
  });

  it('do not reach inherited names', async () => {
    using files = new Files();
    expect(lines(await files.load(`${JOB}    cwd: \${constructor}\n`))[0]).toContain(
      'the variable constructor is not set',
    );
  });
});

describe('the hash', () => {
  it('follows the content, not the time', async () => {
    using files = new Files();
    const hashes = [await files.loaded(JOB), await files.loaded(JOB), await files.loaded(`${JOB}#\n`)].map(
      ({ hash }) => hash,
    );
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes[1]).toBe(hashes[0]);
    expect(hashes[2]).not.toBe(hashes[0]);
  });
});

describe('TZ that is no zone of IANA', () => {
  const plain = 'jobs:\n  j: { cron: "0 2 * * *", run: x }\n';
  const warned = (TZ: string): RegExp =>
    new RegExp(`^1:1 warning TZ=${TZ} is no IANA time zone: .* go by UTC \\|`);

  it('is told where a job goes by the host’s, which then is not what other programs take it for', async () => {
    using files = new Files();
    for (const TZ of ['CET-1CEST', 'Nowhere/X'])
      expect(lines(await files.load(plain, { environment: { TZ } }))).toEqual([
        expect.stringMatching(warned(TZ)),
      ]);
  });

  it('is not, where it is one, or is not asked', async () => {
    using files = new Files();
    for (const TZ of ['', 'Asia/Tokyo', ':Asia/Tokyo', '/usr/share/zoneinfo/Asia/Tokyo'])
      expect(lines(await files.load(plain, { environment: { TZ } }))).toEqual([]);
    const zoned = `timezone: Europe/Berlin\n${plain}`;
    expect(lines(await files.load(zoned, { environment: { TZ: 'CET-1CEST' } }))).toEqual([]);
  });
});
