/**
 * Runs the benchmarks beside it and prints their tables: all of them, or those named (`npm run bench -- startup`).
 * `--smoke` runs each once, quickly: in CI they must work, not win.
 */
import { readdirSync } from 'node:fs';

interface Bench {
  run(options: { readonly smoke: boolean }): Promise<void>;
}

const words = process.argv.slice(2);
const smoke = words.includes('--smoke');
const named = words.filter((word) => !word.startsWith('--'));

const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .sort();
const unknown = named.filter((name) => !files.includes(`${name}.ts`));
if (unknown.length > 0) {
  console.error(
    `no benchmark ${unknown.join(', ')}; there are ${files.map((file) => file.replace('.ts', '')).join(', ')}`,
  );
  process.exit(64);
}

for (const file of files) {
  if (named.length > 0 && !named.includes(file.replace('.ts', ''))) continue;
  const bench = (await import(`./${file}`)) as Partial<Bench>;
  if (bench.run === undefined) continue; // shared by the benchmarks, not one itself
  console.log(`\n${file.replace('.ts', '')}`);
  await bench.run({ smoke });
}
