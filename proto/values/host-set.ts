import { type HostName, parseHostName } from "./host-name.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";
import { parseTagKey, parseTagValue, type TagKey, type TagValue } from "./tag.ts";

/** `@rack` chooses hosts that have the tag, `@rack=r1` those where it has this value. */
export interface TagSelector {
  readonly key: TagKey;
  readonly value?: TagValue;
}

/** Which hosts: all the names and all hosts a tag chooses, each once, in the order written. */
export interface HostSet {
  readonly names: readonly HostName[];
  readonly tags: readonly TagSelector[];
}

export const HOST_SET_LIMIT = 10_000;
const TEXT_LIMIT = 65_536;

/**
 * Reads `web[01-20],db[1,3-5],r[1-2]n[1-4],@rack=r1`: items with commas between, brackets of numbers and ranges, zero-padding kept.
 * Refuses sets of more than 10 000 names before expanding them, and anything quoted or escaped.
 */
export function parseHostSet(text: string): HostSet {
  if (text.length > TEXT_LIMIT) throw new HpsError("invalid", `a host set is longer than ${TEXT_LIMIT} characters`);
  const names = new Set<HostName>();
  const tags = new Map<string, TagSelector>();
  let room = HOST_SET_LIMIT;
  for (const item of itemsOf(text)) {
    if (item.startsWith("@")) {
      tags.set(item, tagSelector(item.slice(1)));
      continue;
    }
    const written = namesOf(item, room);
    room -= written.length;
    for (const name of written) names.add(parseHostName(name));
  }
  return { names: [...names], tags: [...tags.values()] };
}

/** Commas outside brackets divide; spaces around an item do not count. */
function itemsOf(text: string): string[] {
  const items: string[] = [];
  let start = 0;
  let inside = false;
  for (let at = 0; at <= text.length; at += 1) {
    const character = text[at];
    if (character === "[") inside = true;
    else if (character === "]") inside = false;
    else if (character === undefined || (character === "," && !inside)) {
      items.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  if (items.includes("")) throw new HpsError("invalid", `the host set ${quote(text)} has an empty item`);
  return items;
}

function tagSelector(text: string): TagSelector {
  const at = text.indexOf("=");
  if (at < 0) return { key: parseTagKey(text) };
  return { key: parseTagKey(text.slice(0, at)), value: parseTagValue(text.slice(at + 1)) };
}

/** The names one item stands for, at most `room`: what a bracket would multiply is counted before it is made. */
function namesOf(item: string, room: number): string[] {
  if (!/^([A-Za-z0-9-]+|\[[0-9,-]+\])+$/.test(item)) {
    throw new HpsError("invalid", `not a host name or a set of them: ${quote(item)}`, {
      hint: "write web01, web[01-20], db[1,3-5] or @tag, with commas between; nothing is quoted or escaped",
    });
  }
  let names = [""];
  for (const part of item.match(/[A-Za-z0-9-]+|\[[0-9,-]+\]/g) ?? []) {
    const choices = part.startsWith("[") ? choicesOf(part.slice(1, -1), room / names.length) : [part];
    names = names.flatMap((name) => choices.map((choice) => name + choice));
  }
  if (names.length > room) throw tooMany();
  return names;
}

function choicesOf(ranges: string, room: number): string[] {
  const choices: string[] = [];
  for (const range of ranges.split(",")) {
    const { first, count, width } = rangeOf(range);
    if (choices.length + count > room) throw tooMany();
    for (let index = 0; index < count; index += 1) choices.push(String(first + index).padStart(width, "0"));
  }
  return choices;
}

function rangeOf(range: string): { readonly first: number; readonly count: number; readonly width: number } {
  const [, from = "", to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range) ?? [];
  if (from === "") throw new HpsError("invalid", `not a number or a range of them: ${quote(range)}`);
  const padded = from.length > 1 && from.startsWith("0");
  if ((padded && to.length !== from.length) || (!padded && to.length > 1 && to.startsWith("0"))) {
    throw new HpsError("invalid", `the two ends of ${range} are padded differently`, {
      hint: "write 001-100 or 1-100",
    });
  }
  const count = Number(to) - Number(from) + 1;
  if (count < 1) throw new HpsError("invalid", `the range ${range} runs backwards`);
  return { first: Number(from), count, width: padded ? from.length : 1 };
}

function tooMany(): HpsError {
  return new HpsError("invalid", `the host set names more than ${HOST_SET_LIMIT} hosts`);
}
