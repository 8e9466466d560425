/** Whose job file is in force, by rule and not by luck. Pure. */

export interface FileFacts {
  /** Hash of the version in force; undefined: none was ever published. */
  readonly newest: string | undefined;
  /** The node's own copy; undefined: it has none. */
  readonly copy: { readonly hash: string; readonly isGood: boolean } | undefined;
  /** Hash of its copy when this rule was last applied to it; undefined: it never was. */
  readonly seen: string | undefined;
  readonly conducts: boolean;
  /** A person asked this node to read its copy again. */
  readonly asked: boolean;
}

export type FileDecision =
  /** The copy becomes the next version: there was none; it was edited since it was last seen; a person wants it. */
  | { readonly kind: 'publish'; readonly reason: 'first' | 'edited' | 'asked' }
  /** The version in force holds. `broken`: the copy would be the next one, but has errors; `differs`: nobody touched it. */
  | { readonly kind: 'follow'; readonly reason: 'same' | 'no_copy' | 'differs' | 'broken' }
  /** There is nothing to follow yet: the copy of the node that conducts comes first, and that has none, or one with errors. */
  | { readonly kind: 'wait'; readonly reason: 'not_conducting' | 'no_copy' | 'broken' };

/** Decides what becomes of a node's copy. */
export function decideFile({ newest, copy, seen, conducts, asked }: FileFacts): FileDecision {
  if (newest === undefined) {
    if (!conducts) return { kind: 'wait', reason: 'not_conducting' };
    if (copy === undefined) return { kind: 'wait', reason: 'no_copy' };
    return copy.isGood ? { kind: 'publish', reason: 'first' } : { kind: 'wait', reason: 'broken' };
  }
  if (copy === undefined) return { kind: 'follow', reason: 'no_copy' };
  if (copy.hash === newest) return { kind: 'follow', reason: 'same' };
  const isEdited = seen !== undefined && seen !== copy.hash;
  if (!asked && !isEdited) return { kind: 'follow', reason: 'differs' };
  if (!copy.isGood) return { kind: 'follow', reason: 'broken' };
  return { kind: 'publish', reason: isEdited ? 'edited' : 'asked' };
}
