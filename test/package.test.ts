/** What is installed along with tsched. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Locked {
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const root = join(import.meta.dirname, '..');
const read = (name: string): ReturnType<JSON['parse']> => JSON.parse(readFileSync(join(root, name), 'utf8'));

it('no package that comes along runs anything when it is installed, and each is the one that was looked at', () => {
  const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Locked>> };
  const along = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  const { dependencies, scripts } = read('package.json');
  for (const name of Object.keys(dependencies)) expect(packages).toHaveProperty([`node_modules/${name}`]);
  expect(along.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([]);
  expect(along.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
  expect(Object.keys(scripts).filter((name) => /^(?:pre|post)?install$/.test(name))).toEqual([]);
  // Each is somebody who could harm our users; more of them is a decision.
  expect(along.length).toBeLessThan(50);
});
