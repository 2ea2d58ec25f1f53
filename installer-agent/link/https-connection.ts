import { Agent, type RequestOptions } from "node:https";
import { serverIdentityCheck } from "../../certs/server-name.ts";
import { httpsUrlParts } from "../../proto/values/https-url.ts";
import type { Contact } from "./contact.ts";

/** To hpsd's HTTPS door: verified by the contact's root and nothing else; no session is kept, so every request is verified anew. */
export function connectionOf({ https, rootCertificate, trustDomain }: Contact): RequestOptions {
  const { host, port } = httpsUrlParts(https);
  return {
    host,
    port,
    ca: rootCertificate,
    checkServerIdentity: serverIdentityCheck(trustDomain),
    rejectUnauthorized: true, // said outright, because an environment variable could switch the default off
    minVersion: "TLSv1.3",
    agent: new Agent({ keepAlive: false, maxCachedSessions: 0 }),
  };
}
