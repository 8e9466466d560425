/** A strict reader of Prometheus' text format 0.0.4: whatever it does not understand, or promtool would complain of, is an error. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

/** @throws Error that says which line is wrong */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family & { samples: Sample[] }>();
  let current: (Family & { samples: Sample[] }) | undefined;
  let help: { name: string; text: string } | undefined;
  const seen = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') help = { name, text: rest };
    else if (keyword === 'TYPE') {
      if (families.has(name)) throw new Error(`${name} is there twice`);
      if (help?.name !== name) throw new Error(`${name} has no help`);
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`${name} is a ${rest}`);
      if ((rest === 'counter') !== name.endsWith('_total'))
        throw new Error(`${name} is a ${rest} by that name`);
      current = { name, type: rest, help: help.text, samples: [] };
      families.set(name, current);
    } else {
      const sample = readSample(line);
      if (current === undefined || !belongs(sample.name, current))
        throw new Error(`${line} belongs to nothing`);
      if (seen.has(line.replace(/ \S+$/, ''))) throw new Error(`${line} is there twice`);
      seen.add(line.replace(/ \S+$/, ''));
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function readSample(line: string): Sample {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  const value = number === '+Inf' ? Infinity : Number(number);
  if (name === '' || number === '' || Number.isNaN(value)) throw new Error(`${line} is no sample`);
  const labels: Record<string, string> = {};
  for (let rest = labelText; rest !== '';) {
    const [whole, label = '', text = ''] = LABEL.exec(rest) ?? [];
    if (whole === undefined || label in labels) throw new Error(`${line} has bad labels`);
    labels[label] = text;
    rest = rest.slice(whole.length);
  }
  return { name, labels, value };
}

function belongs(name: string, family: Family): boolean {
  if (family.type !== 'histogram') return name === family.name;
  return ['_bucket', '_sum', '_count'].some((end) => name === family.name + end);
}

/** Buckets go up, the last is all, and all is the count. */
function checkHistogram({ name, samples }: Family): void {
  const byLabels = Map.groupBy(samples, ({ labels }) =>
    JSON.stringify({ le: '', ...labels }, (key, value: unknown) => (key === 'le' ? '' : value)),
  );
  for (const [labels, group] of byLabels) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const counts = buckets.map(({ value }) => value);
    const edges = buckets.map(({ labels: { le = '' } }) => (le === '+Inf' ? Infinity : Number(le)));
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    const ascending = (list: readonly number[]): boolean =>
      list.every((value, n) => n === 0 || value >= (list[n - 1] ?? 0));
    if (!ascending(counts) || !ascending(edges)) throw new Error(`${name}${labels}: buckets go down`);
    if (edges.at(-1) !== Infinity || counts.at(-1) !== count)
      throw new Error(`${name}${labels}: no sum of all`);
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}${labels}: no sum`);
  }
}
