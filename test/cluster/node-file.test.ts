import { expect, it, vi } from 'vitest';
import { NodeFile, type NodeFileParts } from '../../src/node-file.ts';
import { PATIENCE } from '../support/patience.ts';

it('waits for nobody who was asked to publish once its node conducts itself', async () => {
  const membership: { term?: number; node: { id: string; name: string } } = { node: { id: 'b', name: 'b' } };
  // Died over it, and nobody knows that yet.
  const elsewhere = vi.fn<() => Promise<never>>(() => new Promise(() => undefined));
  const file = new NodeFile({ membership, elsewhere } as unknown as NodeFileParts);
  const answer = file.publish({ documents: [], directory: '/', by: 'ann' });
  await vi.waitFor(() => expect(elsewhere).toHaveBeenCalledOnce(), { timeout: PATIENCE });
  membership.term = 2;
  expect(await answer).toMatchObject({ ok: false, refusal: { refused: 'cluster_away' } });
});
