/**
 * What is wrong in a job file, and how it is shown: `file:line:column: severity: path: text` (the form editors and
 * problem matchers read), then a code frame with a caret and what to write instead.
 */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
}

export interface Related extends Place {
  readonly message: string;
}

export interface Diagnostic extends Place {
  readonly severity: 'error' | 'warning';
  /** Characters the caret underlines; 0: the file as a whole, no code frame. */
  readonly length: number;
  /** Where in the structure, e.g. "jobs.backup.cron.1"; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
  /** The second place, e.g. of a duplicate. */
  readonly related?: Related;
}

/** Longest stretch of a source line that a frame shows. */
const FRAME_WIDTH = 120;

/** Codes of ECMA-48; node:util would do it, but takes 3 ms to load. */
const STYLES = { bold: [1, 22], red: [31, 39], yellow: [33, 39], cyan: [36, 39] } as const;

type Paint = (style: keyof typeof STYLES, text: string) => string;

const painted: Paint = (style, text) => `\u001b[${STYLES[style][0]}m${text}\u001b[${STYLES[style][1]}m`;
const unpainted: Paint = (_, text) => text;

/**
 * Prints diagnostics with code frames, in the order given.
 *
 * @param texts the text of each file named; lines that are not there are left out of the frames.
 */
export function formatDiagnostics(
  list: readonly Diagnostic[],
  texts: ReadonlyMap<string, string>,
  style: { color: boolean },
): string {
  const paint = style.color ? painted : unpainted;
  const linesOf = linesIn(texts);
  return list.map((diagnostic) => formatOne(diagnostic, linesOf, paint)).join('');
}

/** The lines of a file; each file is split once. */
function linesIn(texts: ReadonlyMap<string, string>): (file: string) => readonly string[] {
  const lines = new Map<string, readonly string[]>();
  return (file) => {
    const known = lines.get(file) ?? (texts.get(file) ?? '').split('\n');
    lines.set(file, known);
    return known;
  };
}

/** Each with its code frame as plain text; of the file as a whole there is none. */
export function withFrames<One extends Diagnostic>(
  list: readonly One[],
  texts: ReadonlyMap<string, string>,
): (One & { readonly frame?: string })[] {
  const linesOf = linesIn(texts);
  return list.map((one) => {
    const lines = one.length === 0 ? [] : frame(one, linesOf(one.file), (text) => text);
    return lines.length === 0 ? one : { ...one, frame: lines.join('\n') };
  });
}

/** e.g. "4 errors and 1 warning in 2 files". */
export function summarizeDiagnostics(list: readonly Diagnostic[]): string {
  const count = (n: number, noun: string): string[] => (n === 0 ? [] : [`${n} ${noun}${n === 1 ? '' : 's'}`]);
  const errors = list.filter((diagnostic) => diagnostic.severity === 'error').length;
  const files = new Set(list.map((diagnostic) => diagnostic.file)).size;
  const what = [...count(errors, 'error'), ...count(list.length - errors, 'warning')];
  return `${what.join(' and ') || 'no errors'}${files > 1 ? ` in ${files} files` : ''}`;
}

/** By file in the order first met, then by line and column. */
export function inLineOrder(list: readonly Diagnostic[], files: readonly string[]): Diagnostic[] {
  const rank = new Map(files.map((file, index) => [file, index]));
  const rankOf = (file: string): number => rank.get(file) ?? files.length;
  return [...list].sort(
    (a, b) =>
      rankOf(a.file) - rankOf(b.file) || a.line - b.line || a.column - b.column || b.length - a.length,
  );
}

function formatOne(
  diagnostic: Diagnostic,
  linesOf: (file: string) => readonly string[],
  paint: Paint,
): string {
  const { severity, related } = diagnostic;
  const color = severity === 'error' ? 'red' : 'yellow';
  const path = diagnostic.path === '' ? '' : `${short(diagnostic.path)}: `;
  const out = [
    `${paint('bold', place(diagnostic))}: ${paint(color, severity)}: ${path}${short(diagnostic.message)}`,
    ...frame(diagnostic, linesOf(diagnostic.file), (text) => paint(color, text)),
  ];
  if (related !== undefined) {
    out.push(`${paint('bold', place(related))}: note: ${visible(related.message)}`);
    out.push(...frame({ ...related, length: 1 }, linesOf(related.file), (text) => paint('cyan', text)));
  }
  return `${out.join('\n')}\n`;
}

function place({ file, line, column }: Place): string {
  return `${visible(file)}:${line}:${column}`;
}

interface Framed {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly hint?: string;
}

/** The line before, the line, the carets and the hint. */
function frame(at: Framed, lines: readonly string[], paint: (text: string) => string): string[] {
  const line = lines[at.line - 1]?.replace(/\r$/, '');
  const hint = at.hint === undefined ? '' : short(at.hint);
  if (at.length === 0 || line === undefined) return hint === '' ? [] : [`  ${hint}`];
  const width = String(at.line).length;
  const gutter = (number: number | string): string => String(number).padStart(width);
  const window = cut(line, at.column - 1);
  const start = Math.min(at.column - 1 - window.from, window.text.length);
  const end = Math.min(start + at.length, window.text.length);
  const pad = visible(window.lead + window.text.slice(0, start)).replace(/[^\t]/gu, blank);
  const carets = '^'.repeat(Math.max(1, displayWidth(visible(window.text.slice(start, end)))));
  const out: string[] = [];
  const before = lines[at.line - 2];
  if (before !== undefined && before.trim() !== '') {
    out.push(`  ${gutter(at.line - 1)} │ ${visible(cut(before.replace(/\r$/, ''), 0).text)}`.trimEnd());
  }
  out.push(`> ${gutter(at.line)} │ ${visible(window.lead + window.text)}`.trimEnd());
  out.push(`  ${gutter('')} │ ${pad}${paint(hint === '' ? carets : `${carets} ${hint}`)}`);
  return out;
}

/** The part of a long line around `column` that fits a frame. */
function cut(line: string, column: number): { text: string; from: number; lead: string } {
  if (line.length <= FRAME_WIDTH) return { text: line, from: 0, lead: '' };
  const from = Math.max(0, Math.min(column - 40, line.length - FRAME_WIDTH));
  return { text: line.slice(from, from + FRAME_WIDTH), from, lead: from === 0 ? '' : '…' };
}

/** Longest part of a message: a key or a value that it repeats may be a megabyte. */
const MESSAGE_LENGTH = 1000;

function short(text: string): string {
  return visible(text.length <= MESSAGE_LENGTH ? text : `${text.slice(0, MESSAGE_LENGTH)}…`);
}

/** Control and direction characters made harmless: a file's text must not steer the terminal (F53). */
function visible(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u{feff}]/gu, '\ufffd');
}

/** Written where it is used: setting up such a pattern takes longer than all else in this file. */
const isWide = (character: string): boolean =>
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    character,
  );

function blank(character: string): string {
  return isWide(character) ? '  ' : ' ';
}

function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += isWide(character) ? 2 : 1;
  return width;
}

/** A mistake in what many jobs share (an anchor, defaults) is one mistake. */
export function distinct(list: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Map<string, Diagnostic>();
  for (const diagnostic of list) {
    const { file, line, column, message } = diagnostic;
    const key = `${file}:${line}:${column}:${message}`;
    if (!seen.has(key)) seen.set(key, diagnostic);
  }
  return [...seen.values()];
}
