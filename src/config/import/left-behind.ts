/** Commands that leave something running when their shell ends, which is ended with its job here. */

/** Quoted text, escaped characters, comments. */
const LITERAL = /\\.|'[^']*'|"(?:\\.|[^"\\])*"|(?<=^|\s)#.*/gs;

/** A lone `&`: none of `&&`, `>&`, `<&`, `&>` and `|&`. */
const BACKGROUND = /(?<![&<>|])&(?![&>])/;

/** Words about a shell line that starts something in the background and neither waits for it nor gives it a session of its own. */
export function leftBehind(line: string): string | undefined {
  const code = line.replaceAll(LITERAL, '_');
  if (!BACKGROUND.test(code) || /(?:^|[\s;&])(?:wait|setsid)(?:[\s;&]|$)/.test(code)) return undefined;
  return 'what it leaves running in the background (&) is ended when the job ends; leave out the &, or write setsid before it';
}
