import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message } from '../../src/message.ts';
import type { RunRecord } from '../../src/model.ts';
import { words } from '../../src/telling.ts';
import { httpReceiver } from '../support/receivers.ts';
import { AT, RUN, send, type Given } from './support.ts';

describe('a ping', () => {
  it.each<[RunRecord['outcome'], string]>([
    [undefined, '/start'],
    [{ kind: 'succeeded', exitCode: 0 }, ''],
    [{ kind: 'failed', exitCode: 7 }, '/7'],
    [{ kind: 'timed_out', after: 5000 }, '/fail'],
    [{ kind: 'killed', signal: 'SIGKILL' }, '/fail'],
    [{ kind: 'cancelled', by: 'operator' }, '/log'],
  ])('of %j goes to %s', async (outcome, sign) => {
    const receiver = await httpReceiver(onTestFinished);
    const { outcome: _, ...run } = RUN;
    const message: Message = {
      kind: 'ping',
      id: 'x',
      jobId: 'backup',
      at: AT,
      run: outcome === undefined ? run : { ...run, outcome },
    };
    const options: Given['options'] = {
      pingOf: () => ({ url: `${receiver.url}/ping/uuid/?create=1`, start: true, output: true }),
      lastOutput: async (_run, bytes) => Buffer.alloc(bytes, 'o'),
    };
    expect(await send({ kind: 'command', argv: [], cwd: '/' }, message, { options })).toEqual({
      kind: 'delivered',
    });
    const [request] = receiver.requests;
    expect(request?.path).toBe(`/ping/uuid${sign}?create=1&rid=${RUN.id}`);
    const body = outcome === undefined ? '' : `${words.outcome(outcome)}\n${'o'.repeat(10_000)}`;
    expect(request?.body).toBe(body);
  });

  it('sends no output where it is not to, and never shows its address', async () => {
    const receiver = await httpReceiver(onTestFinished);
    const options: Given['options'] = {
      pingOf: () => ({ url: `${receiver.url}/ping/s3cret-uuid`, start: true, output: false }),
    };
    const message: Message = { kind: 'ping', id: 'x', jobId: 'backup', at: AT, run: RUN };
    await send({ kind: 'command', argv: [], cwd: '/' }, message, { options });
    expect(receiver.requests[0]?.body).toBe('');
    receiver.answer = () => 410;
    const delivery = await send({ kind: 'command', argv: [], cwd: '/' }, message, { options });
    expect(JSON.stringify(delivery)).not.toContain('s3cret');
  });
});
