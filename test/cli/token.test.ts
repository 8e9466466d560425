/** Tokens that several commands make at the same time. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { bin, directory, plainEnvironment, tsched } from './tsched.ts';

const run = promisify(execFile);

it('are all there, since one command waits for another', async () => {
  const state = directory();
  const names = Array.from({ length: 8 }, (_, n) => `t${n}`);
  const create = (name: string) =>
    run(process.execPath, [bin, 'token', 'create', name, '--state-dir', state], { env: plainEnvironment() });
  const made = await Promise.all(names.map(create));
  expect(new Set(made.map(({ stdout }) => stdout)).size).toBe(names.length);
  const listed = JSON.parse(tsched(['token', 'list', '--json', '--state-dir', state]).out) as {
    readonly tokens: readonly { readonly name: string }[];
  };
  expect(listed.tokens.map(({ name }) => name).toSorted()).toEqual(names);
});

it('says that another is at it when that lasts', () => {
  const state = directory();
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'tokens.json.new'), '');
  expect(tsched(['token', 'create', 'a', '--state-dir', state])).toMatchObject({
    code: 73,
    err: expect.stringContaining('another tsched is changing the tokens; try again'),
  });
});

it('are JSON too, for a program that asks for that', () => {
  const state = ['--state-dir', directory(), '--json'];
  const { token, ...rest } = JSON.parse(tsched(['token', 'create', 'a', ...state]).out);
  expect(rest).toEqual({ name: 'a', scope: 'read' });
  expect(token).toMatch(/^tsched_[\w-]{40,}$/);
  expect(JSON.parse(tsched(['token', 'revoke', 'a', ...state]).out)).toEqual({ revoked: 'a' });
});
