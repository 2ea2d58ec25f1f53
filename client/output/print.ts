import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { safeText } from "../../proto/values/safe-text.ts";
import { escapeUnsafe, exactJson } from "./exact-json.ts";
import type { Format } from "./formats.ts";
import { type Column, formatFields, formatTable } from "./table.ts";
import { type Terminal, write } from "./terminal.ts";

/** How a kind of object is shown. */
export interface View<Item> {
  /** What one is called in messages: `host`. */
  readonly kind: string;
  readonly columns: readonly Column<Item>[];
  /** What other commands name it by. */
  readonly name: (item: Item) => string;
  readonly json: (item: Item) => JsonValue;
  /** More lines below one object shown alone. */
  readonly more?: (terminal: Terminal, item: Item) => string;
}

/** Proto JSON with every field written, so that a script need not know which are left out when empty. */
export function protoJson<Schema extends DescMessage>(schema: Schema) {
  return (message: MessageShape<Schema>): JsonValue => toJson(schema, message, { alwaysEmitImplicit: true });
}

/** Where and how a command prints. */
export interface Printer {
  readonly terminal: Terminal;
  readonly format: Format;
}

/** A list: a table, or an array. */
export async function printList<Item>(printer: Printer, view: View<Item>, items: readonly Item[]): Promise<void> {
  const { terminal, format } = printer;
  if (format === "table" || format === "wide") {
    const { text } = formatTable(terminal, view.columns, items, { wide: format === "wide", header: true });
    await write(terminal.stdout, text);
  } else if (format === "name") {
    await write(terminal.stdout, items.map((item) => `${safeText(view.name(item))}\n`).join(""));
  } else {
    await printValue(printer, items.map(view.json));
  }
}

/** One object: its fields from top to bottom, or the object. */
export async function printOne<Item>(printer: Printer, view: View<Item>, item: Item): Promise<void> {
  const { terminal, format } = printer;
  if (format === "table" || format === "wide") {
    await write(terminal.stdout, formatFields(terminal, view.columns, item) + (view.more?.(terminal, item) ?? ""));
  } else if (format === "name") {
    await write(terminal.stdout, `${safeText(view.name(item))}\n`);
  } else {
    await printValue(printer, view.json(item));
  }
}

/** A value as YAML, else as JSON. */
export async function printValue({ terminal, format }: Printer, value: JsonValue): Promise<void> {
  await write(terminal.stdout, format === "yaml" ? await exactYaml(value) : `${exactJson(value)}\n`);
}

/** Every text is quoted, so that no reader re-types `007` or `null`. */
async function exactYaml(value: JsonValue): Promise<string> {
  const { stringify } = await import("yaml");
  const text = stringify(value, {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    doubleQuotedAsJSON: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
  return escapeUnsafe(text);
}

/** A line for people, beside the output: on stderr. */
export async function note(terminal: Terminal, text: string): Promise<void> {
  await write(terminal.stderr, `${safeText(text)}\n`);
}
