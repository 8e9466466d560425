/**
 * What goes into statements and comes back. PostgreSQL's text and jsonb take neither NUL nor half a surrogate pair, which
 * strings of ours may hold (an output, a parameter): such characters go in as U+E000 and four hex digits, and come back as they were.
 */

const MARK = '\u{E000}';
const UNTAKEN = /[\0\u{D800}-\u{DFFF}\u{E000}]/gu;
const MARKED = /\u{E000}([0-9a-f]{4})/gu;
/** In the text of a JSON document. The pairs that begin with a backslash are matched to be passed over. */
const UNTAKEN_IN_JSON = /\u{E000}|\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/gu;

/** JSON on its way into a statement. */
export class Json {
  readonly text: string;

  constructor(value: unknown) {
    this.text = JSON.stringify(value).replace(UNTAKEN_IN_JSON, (found) => {
      if (found === MARK) return `${MARK}e000`;
      return found.length === 6 ? MARK + found.slice(2) : found;
    });
  }
}

/** Makes a value a parameter for `jsonb`, or for `jsonb_to_recordset`. Objects become that by themselves; arrays are arrays of SQL. */
export function json(value: unknown): Json {
  return new Json(value);
}

function hex(character: string): string {
  return MARK + character.charCodeAt(0).toString(16).padStart(4, '0');
}

/** What the driver is given. */
export function encode(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(UNTAKEN, hex);
  if (value instanceof Json) return value.text;
  if (Array.isArray(value)) return value.map(encode);
  if (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  )
    return new Json(value).text;
  return value;
}

export function decodeText(text: string): string {
  if (!text.includes(MARK)) return text;
  return text.replace(MARKED, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

export function decodeJson(text: string): unknown {
  return JSON.parse(text.includes(MARK) ? text.replace(MARKED, String.raw`\u$1`) : text);
}
