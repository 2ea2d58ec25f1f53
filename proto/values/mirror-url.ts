import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** Where packs of images are beside hpsd, as BASE/DIGEST: `https://cache.example.org/hps`, without a slash at its end. */
export type MirrorUrl = Brand<string, "MirrorUrl">;

const LONGEST = 1024;

/**
 * Reads `http(s)://HOST[:PORT][/PATH]` and nothing more: credentials would be told to every host, and a query is no part of
 * a place. `http:` is allowed, since nothing that comes from there is believed unless its digest is right.
 */
export function parseMirrorUrl(text: string): MirrorUrl {
  const url = text.length <= LONGEST && /^https?:\/\/[^\s?#@\\]+$/i.test(text) ? URL.parse(text) : null;
  if (url === null) {
    throw new HpsError("invalid", `not an http or https address of files: ${quote(text)}`, {
      hint: "write it as https://cache.example.org/hps, without user, password or query",
    });
  }
  return branded<"MirrorUrl", string>(url.href.replace(/\/+$/, ""));
}
