/** `${NAME}` and `${NAME:-default}` in values, resolved when the file is loaded; `$${` stands for a plain `${`. */
import type { Problem } from '../schedule/problem.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replaces the variables of one value. The result is text and is never read as YAML again. `complain` gets a problem
 * for each variable that is unset without a default, with its place in the text.
 */
export function interpolate(
  text: string,
  environment: Environment,
  complain: (problem: Problem) => void,
): string {
  let result = '';
  let from = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)(\}?)/g)) {
    const [written, inner, end] = match;
    result += text.slice(from, match.index);
    from = match.index + written.length;
    const value = inner === undefined ? '${' : lookUp(inner, end !== '', environment);
    if (typeof value === 'string') result += value;
    else complain({ ...value, at: match.index, length: written.length });
  }
  return result + text.slice(from);
}

/** What the variables of a value are replaced by, where they are set: a default stands in the file for all to see. */
export function valuesOf(text: string, environment: Environment): string[] {
  return Array.from(text.matchAll(/\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)/g), ([, name = '']) =>
    Object.hasOwn(environment, name) ? (environment[name] ?? '') : '',
  ).filter((value) => value !== '');
}

function lookUp(inner: string, closed: boolean, environment: Environment): string | Problem {
  const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inner) ?? [];
  if (!closed || name === undefined || fallback?.includes('${') === true) {
    const message = closed ? `\${${inner}} is not a variable` : '"${" is not closed';
    return { message, hint: 'write ${NAME} or ${NAME:-default}; $${ stands for a plain ${' };
  }
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  return (
    value ?? { message: `the variable ${name} is not set`, hint: `set it, or write \${${name}:-default}` }
  );
}
