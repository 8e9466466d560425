import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createToken, revokeToken, TokenBook } from '../../src/http/tokens.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { directory } from '../support/daemon.ts';

test('a token is known once it is made, and within a second no more once it is revoked', async () => {
  const path = join(directory(), 'tokens.json');
  const clock = new FakeClock(0);
  const book = new TokenBook(path, clock);
  const first = createToken(path, { name: 'a', scope: 'run', now: 1 });
  expect(book.find(first)?.name).toBe('a');
  const second = createToken(path, { name: 'b', scope: 'read', now: 2 });
  await clock.advance(60);
  expect(book.find(second)).toMatchObject({ name: 'b', scope: 'read' });
  expect(book.find('none')).toBeUndefined();
  revokeToken(path, 'a', 3);
  await clock.advance(1000);
  expect(book.find(first)).toBeUndefined();
});
