import {
  type AlterTableColumnAlteringBuilder,
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  sql,
} from "kysely";
import type { SchemaWriter } from "../store-handle.ts";

type Build = (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;

/** One column of a table: its type and what must hold for it. */
export interface Column {
  readonly type: "text" | "bigint" | "integer" | "blob";
  readonly build: Build;
}

export const text: Column = { type: "text", build: (c) => c.notNull() };
export const optionalText: Column = { type: "text", build: (c) => c };
/** UTC milliseconds or a count. */
export const big: Column = { type: "bigint", build: (c) => c.notNull() };
export const optionalBig: Column = { type: "bigint", build: (c) => c };
export const integer: Column = { type: "integer", build: (c) => c.notNull() };
export const optionalInteger: Column = { type: "integer", build: (c) => c };
export const bytes: Column = { type: "blob", build: (c) => c.notNull() };
export const key: Column = { type: "text", build: (c) => c.primaryKey() };
export const uniqueText: Column = { type: "text", build: (c) => c.notNull().unique() };
/** Counts up and never gives a number twice, also after the last row was deleted. */
export const sequence: Column = { type: "integer", build: (c) => c.primaryKey().autoIncrement() };

/** Text that is one of `values`. */
export function oneOf(column: string, values: readonly string[]): Column {
  const list = sql.join(values.map((value) => sql.lit(value)));
  return { type: "text", build: (c) => c.notNull().check(sql`${sql.ref(column)} in (${list})`) };
}

/** The id of a row that this one goes with when it is deleted. */
export function partOf(table: string): Column {
  return { type: "text", build: (c) => c.notNull().references(`${table}.id`).onDelete("cascade") };
}

/** The same, where there may be none. */
export function optionalPartOf(table: string): Column {
  return { type: "text", build: (c) => c.references(`${table}.id`).onDelete("cascade") };
}

/** The id of a row that must exist as long as this one. */
export function needs(table: string): Column {
  return { type: "text", build: (c) => c.notNull().references(`${table}.id`) };
}

/** What a table has beside its columns: a primary key of several, sets that must be unique, indexes by their columns. */
export interface TableOptions {
  readonly primaryKey?: readonly string[];
  readonly unique?: readonly (readonly string[])[];
  readonly indexes?: readonly (readonly string[])[];
}

export async function createTable(
  db: SchemaWriter,
  name: string,
  columns: Readonly<Record<string, Column>>,
  options: TableOptions = {},
): Promise<void> {
  let create: CreateTableBuilder<string, string> = db.schema.createTable(name);
  for (const [column, { type, build }] of Object.entries(columns)) {
    create = create.addColumn(column, type === "blob" ? sql`blob` : type, build);
  }
  if (options.primaryKey) create = create.addPrimaryKeyConstraint(`${name}_key`, [...options.primaryKey]);
  for (const set of options.unique ?? []) create = create.addUniqueConstraint(`${name}_${set.join("_")}`, [...set]);
  await create.execute();
  for (const set of options.indexes ?? []) {
    const index = db.schema.createIndex(`${name}_by_${set.join("_")}`).on(name);
    await index.expression(sql.join(set.map((column) => sql.ref(column)))).execute();
  }
}

type Addition = readonly ["text" | "bigint" | "integer", string | number | null];

/** Adds columns. What rows that are there already get stands with each. */
export async function addColumns(
  db: SchemaWriter,
  table: string,
  columns: Readonly<Record<string, Addition>>,
): Promise<void> {
  for (const [name, [type, initial]] of Object.entries(columns)) {
    const build = (column: ColumnDefinitionBuilder) =>
      initial === null ? column : column.notNull().defaultTo(typeof initial === "string" ? sql.lit(initial) : initial);
    const alter: AlterTableColumnAlteringBuilder = db.schema.alterTable(table).addColumn(name, type, build);
    await alter.execute();
  }
}
