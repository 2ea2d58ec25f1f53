/** What the fields of many requests have in common: text with a limit, enums, masks. */
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** Any Unicode text of at most so many bytes of UTF-8, as it is. `what` names it: "a description". */
export function boundedText(text: string, maxBytes: number, what: string): string {
  if (!text.isWellFormed()) throw new HpsError("invalid", `${what} is not Unicode: ${quote(text)}`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new HpsError("invalid", `${what} of ${bytes} bytes is longer than ${maxBytes} bytes`);
  return text;
}

/** The word an enum's number stands for. 0 and numbers we do not know are `invalid`: numbers come from outside. */
export function wordOf<W extends string>(table: Readonly<Record<W, number>>, number: number, what: string): W {
  const word = wordsOf(table).find((candidate) => table[candidate] === number);
  if (word !== undefined) return word;
  const problem = number === 0 ? `${what} is not given` : `${what} ${number} is not known`;
  throw new HpsError("invalid", problem, { hint: `one of ${wordsOf(table).join(", ")}` });
}

function wordsOf<W extends string>(table: Readonly<Record<W, number>>): W[] {
  return Object.keys(table).filter((key): key is W => Object.hasOwn(table, key));
}

/** Which of the fields an update is to change; `*` is all of them. `invalid` for none, and for any other path. */
export function maskOf<F extends string>(mask: FieldMask | undefined, fields: readonly F[]): ReadonlySet<F> {
  const paths = mask?.paths ?? [];
  const hint = `update_mask names one or more of ${fields.join(", ")}, or *`;
  if (paths.length === 0) throw new HpsError("invalid", "the update names no field to change", { hint });
  if (paths.includes("*")) return new Set(fields);
  return new Set(
    paths.map((path) => {
      const field = fields.find((candidate) => candidate === path);
      if (field === undefined) throw new HpsError("invalid", `an update cannot change ${quote(path)}`, { hint });
      return field;
    }),
  );
}

/** `value`, or `invalid` when the request has no such message. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HpsError("invalid", `the request has no ${what}`);
  return value;
}
