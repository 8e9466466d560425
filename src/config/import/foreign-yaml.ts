/** YAML of other tools, read through our own front door, with the line of everything. */
import { Source } from '../source.ts';
import type { Tree } from '../tree.ts';
import { formatDuration } from '../../schedule/duration.ts';
import { parseForeign } from '../foreign.ts';
import { NotImported, type Fields } from './imported.ts';

/** A value somewhere in a document; one that is not there answers everything with nothing. */
export class Item {
  readonly #source: Source;
  readonly #tree: Tree | undefined;

  constructor(source: Source, tree: Tree | undefined) {
    this.#source = source;
    this.#tree = tree;
  }

  /** From 1; 0 for what is not there. */
  get line(): number {
    return this.#tree === undefined ? 0 : this.#source.line(this.#tree.start);
  }

  /** Undefined in the file that is imported itself. */
  get file(): string | undefined {
    return this.#source.name === '' ? undefined : this.#source.name;
  }

  get isThere(): boolean {
    return this.#tree !== undefined && !(this.#tree.kind === 'scalar' && this.#tree.value === null);
  }

  get(...path: readonly string[]): Item {
    const [key, ...rest] = path;
    if (key === undefined) return this;
    const entries = this.#tree?.kind === 'map' ? this.#tree.entries : [];
    return new Item(this.#source, entries.findLast((entry) => entry.key === key)?.value).get(...rest);
  }

  get keys(): readonly string[] {
    return this.#tree?.kind === 'map' ? this.#tree.entries.map(({ key }) => key) : [];
  }

  get items(): readonly Item[] {
    return this.#tree?.kind === 'list' ? this.#tree.items.map((item) => new Item(this.#source, item)) : [];
  }

  get isList(): boolean {
    return this.#tree?.kind === 'list';
  }

  /** A scalar as it was written, be it a number. */
  get text(): string | undefined {
    if (this.#tree?.kind !== 'scalar' || this.#tree.value === null) return undefined;
    return typeof this.#tree.value === 'string' ? this.#tree.value : this.#tree.source;
  }

  get number(): number | undefined {
    const number = Number(this.text ?? Number.NaN);
    return Number.isFinite(number) ? number : undefined;
  }

  get isTrue(): boolean {
    return /^(?:true|yes|on)$/i.test(this.text ?? '');
  }

  get isFalse(): boolean {
    return /^(?:false|no|off)$/i.test(this.text ?? '');
  }
}

/**
 * The documents of a text.
 * @param name of the file, where it is not the imported one itself
 * @throws NotImported when it is no YAML
 */
export async function readDocuments(text: string, name = ''): Promise<readonly Item[]> {
  const lines = text.split('\n');
  const starts = [0, ...lines.flatMap((line, index) => (/^---(?:\s|$)/.test(line) ? [index] : []))];
  const documents: Item[] = [];
  for (const [index, start] of starts.entries()) {
    const own = lines.slice(start, starts[index + 1]).map((line) => line.replace(/^---(?=\s|$)/, ''));
    if (own.every((line) => /^\s*(?:#.*)?$/.test(line))) continue;
    // In its place, so that lines are those of the file.
    const source = new Source('', name, `${'\n'.repeat(start)}${own.join('\n')}`);
    const { tree, problems } = await parseForeign(source);
    const [first] = problems;
    if (first !== undefined) {
      const where = `${name === '' ? '' : `${name}, `}line ${source.line(first.at)}`;
      const isTemplate = /\{\{.*\}\}/.test(text);
      throw new NotImported(`${where}: ${first.message}${isTemplate ? TEMPLATE : ''}`);
    }
    documents.push(new Item(source, tree));
  }
  return documents;
}

const TEMPLATE = '; it is a template: render it first, e.g. with helm template';

/** Seconds of another tool as our duration; none for none. */
export function seconds(count: number | undefined): string | undefined {
  return count === undefined || count <= 0 ? undefined : formatDuration(count * 1000);
}

/** Seconds that a process is given to end by itself: none are none. */
export function graceTime(count: number): string {
  return seconds(count) ?? '0s';
}

export function record(pairs: readonly (readonly [string, string])[]): Fields['env'] {
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}
