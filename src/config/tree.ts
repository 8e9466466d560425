/** A YAML document as plain data with positions: what syntax.ts makes and read.ts reads. */
import type { Problem } from '../schedule/problem.ts';

export interface Span {
  /** Offsets in the text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

export interface ScalarTree extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, without quotes. */
  readonly source: string;
  readonly style: 'plain' | 'quoted' | 'block';
}

export interface Entry extends Span {
  readonly key: string;
  readonly value: Tree;
}

export interface MapTree extends Span {
  readonly kind: 'map';
  /** In the order written; duplicates are still there. */
  readonly entries: readonly Entry[];
  readonly weight: number;
  readonly depth: number;
}

export interface ListTree extends Span {
  readonly kind: 'list';
  readonly items: readonly Tree[];
  readonly weight: number;
  readonly depth: number;
}

export type Tree = ScalarTree | MapTree | ListTree;

/** A problem at an offset of the text. */
export interface SyntaxProblem extends Problem {
  readonly at: number;
  readonly length: number;
}

/** What a text came to. */
export interface Parsed {
  /** Absent when nothing could be made of the text, or the text holds nothing. */
  readonly tree: Tree | undefined;
  readonly problems: readonly SyntaxProblem[];
  /** What only lacked quotes and was parsed as if it had them; the tree holds REPORTED in its place. */
  readonly unquoted: readonly SyntaxProblem[];
}

/** Stands for the first character of a value that was reported for lacking quotes; readers pass such a value over. */
export const REPORTED = '\ufdd0';
