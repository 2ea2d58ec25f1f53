import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseMac } from "../../../proto/values/mac.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { parseTagKey } from "../../../proto/values/tag.ts";
import type { HostTerm } from "../../store/host-list.ts";
import { HOST_STATES } from "./life-cycle.ts";

const MAX_LENGTH = 4096;
const MAX_TERMS = 32;

const FORMS = "state=armed, name=web*, mac=52:54:00:12:34:56, profile=storage or tag.rack=r1";

/** A key, `=`, and a value in double quotes (`\"` and `\\` within) or without a space, a quote or a backslash. */
const TERM = /([^\s="\\]+)=(?:"((?:[^"\\]|\\["\\])*)"|([^\s"\\]*))(?=\s|$)/y;
const SPACE = /\s*/y;

/** Reads terms joined by spaces, all of which must hold; none: every host. The error names the term that is wrong. */
export function parseHostFilter(text: string): readonly HostTerm[] {
  if (text.length > MAX_LENGTH) throw new HpsError("invalid", `the filter is longer than ${MAX_LENGTH} characters`);
  if (!text.isWellFormed()) throw new HpsError("invalid", "the filter is not Unicode");
  const terms: HostTerm[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, TERM.lastIndex)) {
    TERM.lastIndex = at;
    const found = TERM.exec(text);
    if (found === null) throw notATerm(text.slice(at));
    const [, key = "", quoted, bare = ""] = found;
    terms.push(termOf(key, quoted?.replace(/\\(.)/gs, "$1") ?? bare));
    if (terms.length > MAX_TERMS) throw new HpsError("invalid", `the filter has more than ${MAX_TERMS} terms`);
  }
  return terms;
}

/** Writes terms so that they are read back as they are. */
export function formatHostFilter(terms: readonly HostTerm[]): string {
  return terms.map((term) => `${keyOf(term)}=${formatValue(term.value)}`).join(" ");
}

function keyOf(term: HostTerm): string {
  return term.field === "tag" ? `tag.${term.key}` : term.field;
}

function formatValue(value: string): string {
  return /[\s"\\]/.test(value) ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}

function notATerm(rest: string): HpsError {
  const [word = rest] = rest.split(/\s/, 1);
  return new HpsError("invalid", `not a term of a filter: ${quote(word)}`, {
    hint: `write ${FORMS}, joined by spaces; a value with spaces in double quotes`,
  });
}

function termOf(key: string, value: string): HostTerm {
  if (key.startsWith("tag.")) return { field: "tag", key: parseTagKey(key.slice("tag.".length)), value };
  switch (key) {
    case "state":
      return { field: key, value: parseState(value) };
    case "name":
      return { field: key, value: parsePattern(value) };
    case "mac":
      return { field: key, value: parseMac(value) };
    case "profile":
      return { field: key, value };
    default:
      throw new HpsError("invalid", `a filter has no term ${quote(key)}`, { hint: `write ${FORMS}` });
  }
}

function parseState(value: string): string {
  const state = HOST_STATES.find((candidate) => candidate === value);
  if (state !== undefined) return state;
  throw new HpsError("invalid", `no host is in a state ${quote(value)}`, { hint: `one of ${HOST_STATES.join(", ")}` });
}

/** Only what host names are made of, and `*`. */
function parsePattern(value: string): string {
  if (/^[a-z0-9*-]{1,63}$/.test(value)) return value;
  throw new HpsError("invalid", `no host name is like ${quote(value)}`, {
    hint: "write name=web01, or name=web* for all that begin so",
  });
}
