import type { ServerResponse } from 'node:http';

/** Resolves when more can be written, or never will be. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Characters that could steer a terminal or turn text around, as JSON escapes: curl shows answers as they come. */
export function jsonText(body: unknown): string {
  const text = JSON.stringify(body);
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return text.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
