import type { IncomingHttpHeaders } from "node:http";
import { HpsError } from "../../proto/values/hps-error.ts";

/** The origins under which this hpsd is a site of its own: exact, with scheme and port. */
export type OwnOrigins = () => readonly string[];

/**
 * The origin of the page that asks. `denied` unless it is one of ours, and the very one that this request went to: a page
 * of another site, a file, a sandboxed frame (`null`), and a name that somebody points at our address are all refused.
 */
export function requireOwnOrigin(headers: IncomingHttpHeaders, own: OwnOrigins): string {
  const { origin, host } = headers;
  const isOwn = origin !== undefined && own().includes(origin) && origin === originOf(host ?? "");
  if (!isOwn) throw refusal("its Origin is not this server's");
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") throw refusal("the browser says that another site asks");
  return origin;
}

/** As browsers write it: the port of `https` is left out. */
export function originOf(authority: string): string | undefined {
  if (!/^[A-Za-z0-9.:[\]-]{1,300}$/.test(authority) || !URL.canParse(`https://${authority}`)) return undefined;
  return new URL(`https://${authority}`).origin;
}

function refusal(reason: string): HpsError {
  return new HpsError("denied", `this request comes from no page of this server: ${reason}`, {
    hint: "open the terminal at this server's own address",
  });
}
