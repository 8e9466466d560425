import { describe, expect, it } from 'vitest';
import { attemptId, uuidV5 } from '../../src/cluster/ids.ts';

const SLOT = { forSlot: true, jobId: 'backup', scheduledAt: 1_767_225_600_000, attempt: 1 } as const;
const RUN = '0198c0de-0000-7000-8000-000000000001';

describe('uuidV5', () => {
  it('is what the standard writes', () => {
    // RFC 9562, appendix A.4: www.example.com in the namespace of host names.
    const dns = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex');
    expect(uuidV5(dns, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
  });
});

describe('the id of an attempt', () => {
  // Worked out by another implementation of UUIDv5; they must never change: versions of tsched share databases.
  it.each([
    [{ ...SLOT, runId: RUN }, '0628753d-40f0-572e-a99b-32b7455fe520'],
    [{ ...SLOT, runId: RUN, attempt: 2 }, '326dcd4e-21ad-5088-b4d0-5d37cc87fd93'],
    [{ ...SLOT, runId: RUN, jobId: 'bäck', scheduledAt: 0 }, 'c029527c-6180-5ff9-ae04-92b13f864cd9'],
    [{ ...SLOT, runId: RUN, forSlot: false }, '2ef29bb3-c689-5fb8-a93e-e7cedaaadcf5'],
    [{ ...SLOT, runId: RUN, forSlot: undefined, attempt: 3 }, '5604ab6b-bf8e-52ae-91e9-a6771ff71ec0'],
  ])('of %j is %s', (spec, id) => {
    expect(attemptId(spec)).toBe(id);
  });

  it('is that of the slot, whichever run was claimed for it', () => {
    expect(attemptId({ ...SLOT, runId: 'one' })).toBe(attemptId({ ...SLOT, runId: 'another' }));
  });

  it('is that of the run where the slot may be run again', () => {
    const again = { ...SLOT, forSlot: false };
    expect(attemptId({ ...again, runId: 'one' })).not.toBe(attemptId({ ...again, runId: 'another' }));
  });
});
