import { safeText } from "../../proto/values/safe-text.ts";
import { type Colour, paint, type Terminal } from "./terminal.ts";
import { fitText, textWidth } from "./text-width.ts";

/** One column: its title never changes, scripts rely on it. */
export interface Column<Item> {
  readonly title: string;
  readonly text: (item: Item) => string;
  /** Only in `-o wide` and in `get`. */
  readonly wide?: true;
  readonly colour?: (item: Item) => Colour | undefined;
}

const CELL_LIMIT = 80;
const WIDE_CELL_LIMIT = 256;

export interface TableOptions {
  readonly wide: boolean;
  readonly header: boolean;
  /** Widths of a table already begun, to go on with. */
  readonly widths?: readonly number[];
}

/** Lines with aligned columns; every cell is safe for a terminal, on one line, and bounded. */
export function formatTable<Item>(
  terminal: Terminal,
  columns: readonly Column<Item>[],
  items: readonly Item[],
  options: TableOptions,
): { readonly text: string; readonly widths: readonly number[] } {
  const shown = columns.filter((column) => options.wide || column.wide === undefined);
  const limit = options.wide ? WIDE_CELL_LIMIT : CELL_LIMIT;
  const rows = items.map((item) => shown.map((column) => cellText(column, item, limit)));
  const titles = shown.map(({ title }) => title);
  const widths = titles.map((title, at) =>
    Math.max(options.widths?.[at] ?? 0, title.length, ...rows.map((row) => textWidth(row[at] ?? ""))),
  );
  const lines = rows.map((row, index) => {
    const item = items[index];
    const colours = shown.map(({ colour }) => (item === undefined ? undefined : colour?.(item)));
    return lineOf(row, widths, (cell, at) => paint(terminal, terminal.stdout, cell, colours[at]));
  });
  const header = options.header ? [lineOf(titles, widths, (title) => title)] : [];
  return { text: [...header, ...lines].map((line) => `${line}\n`).join(""), widths };
}

/** One object from top to bottom, all columns. */
export function formatFields<Item>(terminal: Terminal, columns: readonly Column<Item>[], item: Item): string {
  const width = Math.max(...columns.map(({ title }) => title.length));
  return columns
    .map((column) => {
      const text = paint(terminal, terminal.stdout, cellText(column, item, 4096), column.colour?.(item));
      return `${`${column.title}:`.padEnd(width + 3)}${text}\n`;
    })
    .join("");
}

function cellText<Item>(column: Column<Item>, item: Item, limit: number): string {
  const text = fitText(safeText(column.text(item)), limit);
  return text === "" ? "-" : text;
}

function lineOf(
  cells: readonly string[],
  widths: readonly number[],
  painted: (cell: string, at: number) => string,
): string {
  const last = cells.length - 1;
  return cells
    .map((cell, at) => {
      const padding = at === last ? "" : " ".repeat((widths[at] ?? 0) - textWidth(cell) + 2);
      return painted(cell, at) + padding;
    })
    .join("");
}
