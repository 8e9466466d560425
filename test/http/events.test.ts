/** What happens, as a stream that can be taken up again. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ask, Events, socketOf, startAsked, type Event } from './support.ts';

const jobs = `
jobs:
  tick: { cron: "* * * * * *", run: "true" }
  hand: { every: 1000d, run: "echo x", env: { SECRET: hunter2 } }
`;

const numberOf = ({ id }: Event): number => Number(id.split('-')[1]);

describe('the stream of events', () => {
  it('tells the whole life of a run, in order, and none of its secrets', async () => {
    const daemon = await startAsked({ jobs });
    const place = socketOf(daemon);
    const stream = new Events(place, '/api/v1/events?job=hand');
    await daemon.until('the stream to begin', () => stream.all.length > 0);
    const { body } = await ask(place, '/api/v1/jobs/hand/runs', { method: 'POST' });
    await daemon.until('its end', () => stream.all.some(({ name }) => name === 'run_finished'));
    stream.close();
    const told = stream.all.slice(1);
    expect(told.map(({ name }) => name)).toEqual([
      'run_claimed',
      'attempt_started',
      'attempt_ended',
      'run_finished',
    ]);
    for (const { name, data } of told)
      expect(data).toMatchObject({ kind: name, run: { id: body.id, jobId: 'hand' } });
    expect(told.at(-1)?.data).toMatchObject({ outcome: { kind: 'succeeded' }, run: { state: 'finished' } });
    expect(JSON.stringify(stream.all)).not.toContain('hunter2');
  });

  it('misses nothing and repeats nothing when it is taken up again', async () => {
    const daemon = await startAsked({ jobs });
    const place = socketOf(daemon);
    const whole = new Events(place, '/api/v1/events');
    const first = new Events(place, '/api/v1/events');
    await daemon.until('some events', () => first.all.length > 4);
    first.close();
    const last = first.all.at(-1)?.id ?? '';
    const seen = whole.all.length;
    await daemon.until('events that the first misses', () => whole.all.length > seen + 4);
    const second = new Events(place, '/api/v1/events', { 'last-event-id': last });
    await daemon.until('more events', () => second.all.length > 8);
    second.close();
    whole.close();
    const both = [...first.all, ...second.all].filter(({ name }) => name !== 'hello').map(numberOf);
    const expected = Array.from({ length: both.length }, (_, n) => (both[0] ?? 0) + n);
    expect(both).toEqual(expected);
    expect(second.all.some(({ name }) => name === 'reset' || name === 'hello')).toBe(false);
  });

  it('says so when what came between is not known any more', async () => {
    const daemon = await startAsked({ jobs });
    for (const id of ['0-1', 'abc-99', 'nonsense', `${Date.now().toString(36)}-999999`]) {
      const stream = new Events(socketOf(daemon), '/api/v1/events', { 'last-event-id': id });
      await daemon.until('its first event', () => stream.all.length > 0);
      stream.close();
      expect(stream.all[0]?.name, id).toBe('reset');
    }
  });

  it('tells that a broken file holds again what runs, though nothing changes', async () => {
    const daemon = await startAsked({ jobs, args: ['--no-watch'] });
    const place = socketOf(daemon);
    const stream = new Events(place, '/api/v1/events');
    await daemon.until('the stream to begin', () => stream.all.length > 0);
    const reload = async (text: string) => {
      writeFileSync(daemon.file, text);
      return ask(place, '/api/v1/reload', { method: 'POST' });
    };
    const mended = () => stream.all.filter(({ name }) => name === 'file_mended').length;
    expect((await reload(jobs)).body.kind).toBe('unchanged');
    expect((await reload('jobs: { a: { run: x, evry: 1m } }')).body.code).toBe('bad_file');
    expect((await reload(jobs)).body.kind).toBe('unchanged');
    expect((await ask(place, '/api/v1/status')).body.fileProblem).toBe(null);
    expect((await reload(jobs)).body.kind).toBe('unchanged');
    await reload('jobs: {');
    await daemon.until(
      'both refusals',
      () => stream.all.filter(({ name }) => name === 'reload_refused').length === 2,
    );
    stream.close();
    expect(mended()).toBe(1);
  });

  it('tells what a run prints between the events, and goes on with both', async () => {
    const daemon = await startAsked({
      jobs: `${jobs}  waits: { every: 1000d, run: "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done" }\n`,
    });
    const place = socketOf(daemon);
    const { body } = await ask(place, '/api/v1/jobs/waits/runs', { method: 'POST' });
    const first = new Events(place, `/api/v1/events?run=${body.id}`);
    const printed = (stream: Events): string =>
      stream.all.map(({ name, data }) => (name === 'output' ? data.text : '')).join('');
    await daemon.until('output and events', () => printed(first) !== '' && first.all.length > 4);
    first.close();
    const last = first.all.findLast(({ id }) => id !== '')?.id ?? '';
    writeFileSync(`${daemon.directory}/go`, '');
    const second = new Events(place, `/api/v1/events?run=${body.id}&after=${last}&from=1:3`);
    const isEnded = ({ name, data }: Event): boolean => name === 'run_finished' && data.run.jobId === 'waits';
    await daemon.until(
      'both ends',
      () => second.all.some(isEnded) && second.all.some(({ name }) => name === 'end'),
    );
    const seen = second.all.length;
    await daemon.until('events after it', () => second.all.length > seen);
    second.close();
    expect(printed(first)).toBe('begun\n');
    expect(printed(second)).toBe('un\ndone\n');
    const numbers = [...first.all, ...second.all]
      .filter(({ name, id }) => id !== '' && name !== 'hello')
      .map(numberOf);
    expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] ?? 0) + n));
    const unknown = new Events(place, '/api/v1/events?run=00000000-0000-7000-8000-000000000000');
    await daemon.until('the events of one who asks for a run that is gone', () => unknown.all.length > 3);
    unknown.close();
    expect(unknown.all.slice(0, 2).map(({ name }) => name)).toEqual(['hello', 'end']);
  });

  it('goes on after a retry, and ends with the daemon', async () => {
    const retrying =
      'jobs: { again: { every: 1000d, run: "echo $TSCHED_ATTEMPT; exit 1", retry: { limit: 1, delay: 100ms } } }\n';
    const daemon = await startAsked({ jobs: retrying });
    const place = socketOf(daemon);
    const { body } = await ask(place, '/api/v1/jobs/again/runs', { method: 'POST' });
    const output = new Events(place, `/api/v1/runs/${body.id}/output/stream`);
    await daemon.until('the output to end', () => output.ended);
    expect(output.all.map(({ name, data }) => [name, data.attempt, data.text])).toEqual([
      ['output', 1, '1\n'],
      ['output', 2, '2\n'],
      ['end', undefined, undefined],
    ]);
    const stream = new Events(place, '/api/v1/events');
    await daemon.until('the stream to begin', () => stream.all.length > 0);
    expect(await daemon.stop()).toBe(0);
    await daemon.afterwards('the stream to end', () => stream.ended);
    expect(stream.all.map(({ name }) => name)).toEqual(['hello', 'engine_stopping', 'engine_stopped']);
  });
});
