/** The notices that licences of bundled packages ask us to pass on. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const RULE = `\n${'-'.repeat(80)}\n\n`;

/**
 * Of the packages that these files are from.
 * @param inputs paths as esbuild tells them
 * @throws Error when a package has no licence file
 */
export function licensesOf(inputs: Iterable<string>, root: string): string {
  const names = new Set<string>();
  for (const path of inputs) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names]
    .sort()
    .map((name) => noticeOf(name, root))
    .join(RULE);
}

function noticeOf(name: string, root: string): string {
  const directory = join(root, 'node_modules', name);
  const described = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Record<
    string,
    string
  >;
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} is bundled and has no licence file`);
  const text = readFileSync(join(directory, file), 'utf8').trim();
  return `${name} ${described['version']} (${described['license']})\n\n${text}\n`;
}
