/** The packages that a person installs for a cluster. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isFit, loadPeer, PEERS } from '../../src/postgres/peers.ts';

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');

it('are asked for as package.json has them, wherever they are named', () => {
  const { peerDependencies } = JSON.parse(read('package.json')) as { peerDependencies: object };
  const asked = Object.entries(PEERS).map(([name, [major, minor]]) => [name, `^${major}.${minor}.0`]);
  expect(peerDependencies).toEqual(Object.fromEntries(asked));
  const names = Object.entries(PEERS).map(([name, [major]]) => `${name}@${major}`);
  // Without a version npm may take one that is years old, after the Node that npm itself runs on.
  const papers = [
    'README.md',
    'examples/compose.yaml',
    'examples/tsched.service.d/store.conf',
    'src/postgres/peers.ts',
  ];
  for (const paper of papers) expect(read(paper)).toMatch(new RegExp(`npm install .*${names.join(' ')}`));
});

it('are refused in versions that are not known to do', () => {
  expect(['12.37.9', '11.99.0', '13.0.0', '10.4.2'].filter((version) => isFit('pg-boss', version))).toEqual(
    [],
  );
  expect(['12.38.0', '12.40.1'].filter((version) => !isFit('pg-boss', version))).toEqual([]);
});

it('say what to install where they are missing, and throw on what is wrong in them', async () => {
  const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  const load = (error: Error) =>
    loadPeer(async () => {
      throw error;
    }, 'pg-boss');
  await expect(load(missing)).rejects.toMatchObject({ name: 'DatabaseUnfit', why: 'packages' });
  await expect(load(new Error('broken'))).rejects.toThrow('broken');
});
