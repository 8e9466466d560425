/** Writes a job file. By hand, so that `yaml` keeps one importer and the text reads as a person would have written it. */
import type { Json } from '../../model.ts';
import type { Fields, Imported, ImportedJob } from './imported.ts';

/** Keys whose values tsched takes as they stand; everywhere else `${` is its own. */
const VERBATIM = new Set(['run', 'command', 'stdin']);

export function jobFileText({ preamble, env, jobs, rest }: Imported): string {
  const parts = [
    ...preamble,
    ...(Object.keys(env).length === 0 ? [] : entries({ env }, '')),
    jobs.length === 0 ? 'jobs: {}' : `jobs:\n${jobs.map(jobText).join('\n\n')}`,
    ...rest.map((line) => `# ${printable(line)}`.trimEnd()),
  ];
  return `${parts.join('\n')}\n`;
}

function jobText({ id, comments, fields }: ImportedJob): string {
  const above = comments.map((line) => `  # ${printable(line)}`.trimEnd());
  return [...above, `  ${scalar(id)}:`, ...entries(fields, '    ')].join('\n');
}

/** As a job has it: the value is what it says, whatever is in it. */
function literal(value: Json, key: string): Json {
  return VERBATIM.has(key) ? value : escaped(value);
}

function entries(fields: Fields, indent: string): string[] {
  return Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${indent}${key}: ${written(literal(value, key), `${indent}  `)}`],
  );
}

function written(value: Json, indent: string): string {
  return typeof value === 'string' && isBlock(value) ? block(value, indent) : flow(value);
}

/** tsched puts variables in place of `${NAME}`; other schedulers do not. */
function escaped(value: Json): Json {
  if (typeof value === 'string') return value.replaceAll('${', '$$${');
  if (Array.isArray(value)) return value.map((item: Json) => escaped(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

/** Several lines without anything that a block would lose. */
function isBlock(text: string): boolean {
  return /^[!-~][ -~\t]*(?:\n[ -~\t]*)*\n[ -~\t]*[!-~]\n?$/.test(text) && !/[ \t]\n/.test(text);
}

function block(text: string, indent: string): string {
  const lines = text.replace(/\n$/, '').split('\n');
  return `|${text.endsWith('\n') ? '' : '-'}\n${lines.map((line) => (line === '' ? '' : indent + line)).join('\n')}`;
}

function flow(value: Json): string {
  if (typeof value === 'string') return scalar(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => flow(item)).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const parts = Object.entries(value).map(([key, item]) => `${scalar(key)}: ${flow(item)}`);
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`;
}

const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

function scalar(text: string): string {
  const isPlain = /^[A-Za-z/](?:[\w ./-]*[\w./-])?$/.test(text) && !RESERVED.test(text);
  const isLength = /^\d+(?:ms|[smhdw])$/.test(text);
  return isPlain || isLength ? text : quoted(text);
}

/** JSON is YAML, but for characters that YAML wants escaped. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufdd0\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A comment ends with its line. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ');
}
