/** What `--with` gives a run. */
import type { Arguments, Json } from '../model.ts';
import { printable } from '../observe/text.ts';
import { exit, Failure } from './exit.ts';

/** The types of declared parameters, by name. */
export type Types = Readonly<Record<string, { readonly type?: string }>>;

/** @throws Failure (64) */
export function givenOf(pairs: readonly string[], types: Types): Arguments {
  return Object.fromEntries(
    pairs.map((pair): [string, Json] => {
      const [, name = '', text = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (name === '') throw new Failure(exit.usage, `--with takes name=value, not "${printable(pair)}"`);
      const isText = Object.hasOwn(types, name) && types[name]?.type === 'string';
      return [name, isText ? text : valueOf(text)];
    }),
  );
}

/** JSON where it is some, else the text: `3` is a number, `"3"` a text, and so is `three`. */
function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
