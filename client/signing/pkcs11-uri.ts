import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** Of RFC 7512, what finds one private key. */
export interface Pkcs11Uri {
  readonly token?: string;
  /** Label of the key. */
  readonly object?: string;
  /** CKA_ID of the key, hex. */
  readonly id?: string;
  /** The token's library. */
  readonly modulePath?: string;
  /** File with the PIN in its first line. */
  readonly pinFile?: string;
}

const KNOWN = ["token", "object", "id", "type", "module-path", "pin-source"];

/** Reads `pkcs11:token=…;object=…?module-path=…`. What it does not know it refuses: it might have meant another key. */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  const [, path, query = ""] = /^pkcs11:([^?]*)(?:\?(.*))?$/.exec(text) ?? [];
  if (path === undefined) throw wrong(text, "it begins with pkcs11:");
  const said = new Map<string, Buffer>();
  for (const pair of [...path.split(";"), ...query.split("&")].filter(Boolean)) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, at);
    if (at < 1 || !KNOWN.includes(name) || said.has(name)) throw wrong(text, `not understood: ${quote(pair)}`);
    said.set(name, decoded(pair.slice(at + 1), text));
  }
  if ((said.get("type")?.toString() ?? "private") !== "private") throw wrong(text, "a private key signs");
  if (!said.has("object") && !said.has("id")) throw wrong(text, "it names no key: object=LABEL or id=%01");
  const file = said
    .get("pin-source")
    ?.toString()
    .replace(/^file:(\/\/)?/, "");
  const [token, object, modulePath] = ["token", "object", "module-path"].map((name) => said.get(name)?.toString());
  const id = said.get("id")?.toString("hex");
  return {
    ...(token !== undefined && { token }),
    ...(object !== undefined && { object }),
    ...(id !== undefined && { id }),
    ...(modulePath !== undefined && { modulePath }),
    ...(file !== undefined && { pinFile: file }),
  };
}

/** Bytes: an id is any. */
function decoded(text: string, uri: string): Buffer {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw wrong(uri, "a % is followed by two hex digits");
  const bytes = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1");
}

function wrong(text: string, why: string): HpsError {
  return new HpsError("invalid", `not a key on a token: ${quote(text, 200)}: ${why}`, {
    hint: "write it as pkcs11:token=TOKEN;object=LABEL?module-path=/usr/lib/….so",
  });
}
