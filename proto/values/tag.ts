import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** `rack`, `example.org/role`: 1 to 63 of a-z, 0-9 and inner `.`, `_`, `/`, `-`, a letter first. */
export type TagKey = Brand<string, "TagKey">;
/** Any text of at most 256 bytes of UTF-8, kept byte for byte. */
export type TagValue = Brand<string, "TagValue">;

export interface Tag {
  readonly key: TagKey;
  readonly value: TagValue;
}

export function parseTagKey(text: string): TagKey {
  if (!/^[a-z]([a-z0-9._/-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new HpsError("invalid", `not a tag's key: ${quote(text)}`, {
      hint: "use 1 to 63 of a-z, 0-9 and inner . _ / -, a letter first",
    });
  }
  return branded<"TagKey", string>(text);
}

/** Takes any text, the empty one too; refuses only what UTF-8 cannot hold (a lone surrogate) and what is too long. */
export function parseTagValue(text: string): TagValue {
  if (!text.isWellFormed()) throw new HpsError("invalid", `a tag's value is not Unicode: ${quote(text)}`);
  if (Buffer.byteLength(text) > 256) {
    throw new HpsError("invalid", `a tag's value is longer than 256 bytes: ${quote(text, 24)}`);
  }
  return branded<"TagValue", string>(text);
}

/** Reads `key=value`; the value is all that follows the first `=`, untouched. */
export function parseTag(text: string): Tag {
  const at = text.indexOf("=");
  if (at < 0) throw new HpsError("invalid", `not a tag: ${quote(text)}`, { hint: "write it as key=value" });
  return { key: parseTagKey(text.slice(0, at)), value: parseTagValue(text.slice(at + 1)) };
}

export function formatTag(tag: Tag): string {
  return `${tag.key}=${tag.value}`;
}
