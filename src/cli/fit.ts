/** Makes a table as narrow as the terminal it is for. */
import { width, type Cell, type Table } from './table.ts';

/** What a table can do without: a column as a whole or, with `least`, what is beyond so many characters of its texts. */
export interface Concession {
  readonly column: number;
  readonly least?: number;
}

/**
 * Makes one concession after another, as far as need be. Those of columns that there are not (-1) are passed over.
 * @param room in characters; undefined: as much as it takes
 */
export function fitted(
  whole: Table,
  room: number | undefined,
  concessions: readonly Concession[],
): Table & { readonly isWhole: boolean } {
  let rows: readonly (readonly Cell[])[] = [whole.heading.map((text) => ({ text })), ...whole.rows];
  const widths = whole.heading.map((_, column) =>
    Math.max(...rows.map((row) => width(row[column]?.text ?? ''))),
  );
  const dropped = new Set<number>();
  const excess = (): number => {
    const kept = widths.filter((_, column) => !dropped.has(column));
    return kept.reduce((sum, each) => sum + each + 2, -2) - (room ?? Number.POSITIVE_INFINITY);
  };
  let isWhole = true;
  for (const { column, least } of concessions) {
    const [over, has] = [excess(), widths[column]];
    if (over <= 0) break;
    if (has === undefined || dropped.has(column)) continue;
    if (least === undefined) dropped.add(column);
    else {
      const most = Math.max(least, width(whole.heading[column] ?? ''), has - over);
      if (most >= has) continue;
      widths[column] = most;
      rows = rows.map((row) => row.map((cell, at) => (at === column ? shortened(cell, most) : cell)));
    }
    isWhole = false;
  }
  const kept = rows.map((row) => row.filter((_, column) => !dropped.has(column)));
  const [heading = [], ...lines] = kept;
  return { heading: heading.map(({ text }) => text), rows: lines, isWhole };
}

function shortened(cell: Cell, most: number): Cell {
  if (width(cell.text) <= most) return cell;
  let text = '';
  for (const letter of cell.text) {
    if (width(`${text}${letter}…`) > most) break;
    text += letter;
  }
  return { ...cell, text: `${text.trimEnd()}…` };
}
