/** YAML's errors in the words of someone who writes job files. */
import type { Source } from './source.ts';
import type { SyntaxProblem } from './tree.ts';

/** What we use of an error of the `yaml` package. */
interface YamlError {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

/** `*` or `@` where a value starts, as in an unquoted cron expression. Group 1: what stands before; group 2: the value. */
const BLOCK_VALUE = /^((?:\s*-\s+)*\s*(?:[\w-]+\s*:\s+)?)([*@].*?)\s*(?:\s#.*)?$/;
const FLOW_VALUE = /([[,:]\s*)([*@][^[\]{}]*?)\s*(?=,\s|[\]}])/g;
const CRON_LIKE = /^(?:\*(?:\/\d+)?(?:[,-]\S*)?(?:\s+[\w*/,#?-]+){0,6}|@[a-z]+)$/i;

/**
 * The unquoted cron expressions on the lines that have an error: YAML takes `*` for an alias and reserves `@`. Each
 * makes up to five errors of its own, so one message with the corrected text stands for all of them.
 */
export function quoteNeeded(source: Source, problems: readonly SyntaxProblem[]): SyntaxProblem[] {
  const lines = new Set(problems.map((problem) => source.line(problem.at)));
  const found: SyntaxProblem[] = [];
  for (const line of lines) {
    const text = source.lineText(line);
    for (const match of [...flowValues(text), ...blockValue(text)]) {
      const [, before = '', value = ''] = match;
      if (!CRON_LIKE.test(value)) continue;
      const start = value.startsWith('*') ? '*' : '@';
      found.push({
        message: `a cron expression that starts with ${start} must be quoted`,
        hint: `write "${value}"`,
        at: source.lineStart(line) + (match.index ?? 0) + before.length,
        length: value.length,
      });
    }
  }
  return found;
}

function flowValues(text: string): RegExpMatchArray[] {
  return /[[{]/.test(text) ? [...text.matchAll(FLOW_VALUE)] : [];
}

function blockValue(text: string): RegExpMatchArray[] {
  const match = BLOCK_VALUE.exec(text);
  return match === null ? [] : [match];
}

/** Every error and warning of a document; one for each line, since one mistake often makes several. */
export function explainSyntax(source: Source, errors: readonly YamlError[]): SyntaxProblem[] {
  const byLine = new Map<number, SyntaxProblem>();
  for (const error of errors) {
    const problem = explain(source, error);
    const line = source.line(problem.at);
    if (!byLine.has(line)) byLine.set(line, problem);
  }
  return [...byLine.values()];
}

function explain(source: Source, error: YamlError): SyntaxProblem {
  const [start, end] = error.pos;
  const at = Math.min(start, Math.max(0, source.text.trimEnd().length - 1));
  const length = Math.max(1, Math.min(end - start, source.lineText(source.line(at)).length));
  return { at, length, ...wordsFor(source, error, at) };
}

type Words = Pick<SyntaxProblem, 'message' | 'hint'> & { at?: number; length?: number };

function wordsFor(source: Source, error: YamlError, at: number): Words {
  const line = source.lineText(source.line(at));
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab is used for indentation', hint: 'YAML allows spaces only' };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return (line.match(/:\s/g)?.length ?? 0) > 1
        ? { message: 'a second ": " on one line', hint: 'quote the text that contains it' }
        : {
            message: 'this line already has a value, so nothing can be nested under it',
            hint: 'check the indentation',
          };
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        message: 'expected "key: value"',
        hint: 'a blank must follow the colon; check the indentation',
      };
    case 'BAD_INDENT':
      return error.message.startsWith('Flow')
        ? unclosedBracket(source, error.message.startsWith('Flow map') ? '{' : '[', at)
        : {
            message: 'the indentation does not match the lines above',
            hint: 'keys of one mapping start at one column',
          };
    case 'BAD_SCALAR_START':
      return {
        message: `text cannot start with ${line.charAt(at - source.lineStart(source.line(at)))}`,
        hint: 'quote it',
      };
    case 'TAG_RESOLVE_FAILED':
      return {
        message: error.message.replace(/^Unresolved tag: /, 'unknown tag '),
        hint: 'job files use no tags: remove it',
      };
    case 'RESOURCE_EXHAUSTION':
      return { message: 'nested too deeply' };
    default:
      return (
        missing(source, error) ?? {
          message: error.message.charAt(0).toLowerCase() + error.message.slice(1),
        }
      );
  }
}

function missing(source: Source, error: YamlError): Words | undefined {
  if (error.message.startsWith('Implicit map keys')) {
    return { message: 'expected "key: value"', hint: 'a blank must follow the colon' };
  }
  return unclosedQuote(source, error);
}

/** A missing bracket is noticed where the next key starts; what helps is where it was opened. */
function unclosedBracket(source: Source, bracket: string, before: number): Words {
  const hint = 'close it, or indent what belongs to it';
  const opened = source.text.lastIndexOf(bracket, before);
  return { message: `this ${bracket} is never closed`, hint, at: Math.max(0, opened), length: 1 };
}

/** A missing quote is noticed at the end of the file; what helps is where it was opened. */
function unclosedQuote(source: Source, error: YamlError): Words | undefined {
  const quote = /^Missing closing (["'])/.exec(error.message)?.[1];
  if (quote === undefined) {
    return error.message === 'Unexpected scalar at node end'
      ? {
          message: 'text after the end of a value',
          hint: `to use a quote inside quotes, write '' within '…' or \\" within "…"`,
        }
      : undefined;
  }
  const lines = source.text.split('\n');
  for (let line = lines.length; line > 0; line -= 1) {
    const text = lines[line - 1] ?? '';
    const column = text.search(new RegExp(`(?:^|[:\\-[,]\\s*)${quote}`));
    if (column !== -1 && text.split(quote).length % 2 === 0) {
      return {
        message: `this ${quote} is never closed`,
        length: 1,
        at: source.lineStart(line) + text.indexOf(quote, column),
      };
    }
  }
  return { message: `a ${quote} is never closed` };
}
