import { type Brand, branded } from "./brand.ts";
import { endpointParts, parseEndpoint } from "./endpoint.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** Where an HTTPS server is, port always written, no path: `https://hpsd.example.org:7444`. */
export type HttpsUrl = Brand<string, "HttpsUrl">;

/** Reads `https://host[:port][/]`. Credentials, paths, queries and other schemes are refused. */
export function parseHttpsUrl(text: string): HttpsUrl {
  const [, host = "", port = ":443"] = /^https:\/\/([^/?#@:[\]]+|\[[^\]]+\])(:\d+)?\/?$/i.exec(text) ?? [];
  if (host === "") {
    throw new HpsError("invalid", `not an https address: ${quote(text)}`, {
      hint: "write it as https://hpsd.example.org:7444",
    });
  }
  return branded<"HttpsUrl", string>(`https://${parseEndpoint(host + port)}`);
}

/** Host (without brackets) and port of the URL. */
export function httpsUrlParts(url: HttpsUrl): { readonly host: string; readonly port: number } {
  return endpointParts(parseEndpoint(url.slice("https://".length)));
}
