import { createHash } from "node:crypto";
import { decodeBase64url, decodeUtf8 } from "../../proto/values/base64url.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;
const MAX_TOKEN = 4096;

/** What the items of a list are sorted by, of its last item: what the next page begins after. */
export type PageKey = readonly (string | number)[];

/** The fields every list request has. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * What a list is of: everything beside size and token that decides which items it has and in which order, as text.
 * A token of one list is refused by another.
 */
export type ListOf = readonly string[];

/** 0 means 100; more than 1000 means 1000; negative is `invalid`. */
export function pageLimit({ pageSize }: PageRequest): number {
  if (pageSize < 0) throw new HpsError("invalid", `a page cannot have ${pageSize} items`, { hint: "use 1 to 1000" });
  return pageSize === 0 ? DEFAULT_SIZE : Math.min(pageSize, MAX_SIZE);
}

/** Where the page begins; undefined for the first. `shape` says how many values the key has and of which type each is. */
export function pageStart(
  { pageToken }: PageRequest,
  list: ListOf,
  shape: readonly ("string" | "number")[],
): PageKey | undefined {
  if (pageToken === "") return undefined;
  const [mark, ...key] = valuesIn(pageToken);
  if (mark !== markOf(list)) throw wrongToken("it belongs to another list: filter and order must stay the same");
  const fits = key.length === shape.length && key.every((value, index) => typeof value === shape[index]);
  if (!fits) throw wrongToken("it was not made by this server");
  return key;
}

/** The token of the page after `key`; empty when there is none. */
export function nextPageToken(key: PageKey | undefined, list: ListOf): string {
  if (key === undefined) return "";
  return Buffer.from(JSON.stringify([markOf(list), ...key])).toString("base64url");
}

function markOf(list: ListOf): string {
  return createHash("sha256").update(JSON.stringify(list)).digest("base64url").slice(0, 11);
}

function valuesIn(token: string): (string | number)[] {
  if (token.length > MAX_TOKEN) throw wrongToken("it is too long");
  const text = decodeUtf8(decodeBase64url(token, "the page token"), "the page token");
  const values = parseJson(text);
  if (!Array.isArray(values) || !values.every(isKeyValue)) throw wrongToken("it was not made by this server");
  return values;
}

function isKeyValue(value: unknown): value is string | number {
  return (typeof value === "string" && value.isWellFormed()) || Number.isSafeInteger(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrongToken("it was not made by this server");
  }
}

function wrongToken(why: string): HpsError {
  return new HpsError("invalid", `the page token cannot be used: ${why}`, { hint: "list again from the first page" });
}
