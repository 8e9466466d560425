/** YAML that is no job file. Here, because syntax.ts is loaded by this very path, and only when it is needed. */
import type { Source } from './source.ts';
import type { SyntaxProblem, Tree } from './tree.ts';

export async function parseForeign(
  source: Source,
): Promise<{ readonly tree: Tree | undefined; readonly problems: readonly SyntaxProblem[] }> {
  const { parseYaml } = await import('./syntax.ts');
  const { tree, problems, unquoted } = parseYaml(source);
  return { tree, problems: [...problems, ...unquoted] };
}
