/** Who may come in at a host's own door. Nothing here trusts what is presented before it is checked. */
import { X509Certificate } from "node:crypto";
import { identityText } from "../../certs/identity.ts";
import { verifyPeer } from "../../certs/verify.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type DirectList, trustOf } from "./signed-list.ts";

/** An operator who was let in. */
export interface DirectOperator {
  readonly name: string;
  /** SHA-256 of the SPKI, hex. */
  readonly key: string;
  /** DER. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** When the right ends, UTC milliseconds: certificate, entry or list. */
  readonly until: number;
}

export interface Presented {
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  readonly roots: readonly X509Certificate[];
  readonly now: number;
}

/** `unauthenticated` for a certificate that is not good, `denied` for one whose key the list does not have. */
export function admitOperator(list: DirectList, { chain, roots, now }: Presented): DirectOperator {
  const [leaf, ...above] = chain;
  if (leaf === undefined) {
    throw new HpsError("unauthenticated", "no client certificate", { hint: "hpsctl login gives you one" });
  }
  const trust = trustOf(roots, [...list.intermediates, ...above.map(certificateOf)]);
  const peer = verifyPeer(trust, { leaf, purpose: "client", now });
  const { identity, publicKeyDigest: key, notAfter } = peer;
  if (identity.kind !== "operator") {
    throw new HpsError("denied", `not for a ${identity.kind}: ${identityText(identity)} may not enter a host`);
  }
  const entry = list.entries.get(key);
  if (entry === undefined || entry.name !== identity.name) throw notListed(identity.name, list);
  const until = Math.min(notAfter, entry.until ?? list.expiresAt);
  if (until <= now) {
    throw new HpsError(
      "denied",
      `the right of ${identity.name} to enter directly ended at ${new Date(until).toISOString()}`,
    );
  }
  return { name: identity.name, key, certificate: new Uint8Array(leaf), until };
}

function certificateOf(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new HpsError("unauthenticated", "the certificate chain is malformed", { cause });
  }
}

function notListed(name: string, { cluster, host, issuedAt }: DirectList): HpsError {
  const when = new Date(issuedAt).toISOString();
  return new HpsError(
    "denied",
    `the list that hpsd signed at ${when} does not let ${name} with this key enter ${cluster}/${host}`,
    {
      hint: "it has who may enter a host's shells; it changes only when hpsd is back",
    },
  );
}
