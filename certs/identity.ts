import { HpsError } from "../proto/values/hps-error.ts";
import { quote } from "../proto/values/safe-text.ts";

/** Who a certificate speaks for. `id` is a UUID in lower case; an installer's is its installation's. */
export type PeerIdentity =
  | { readonly kind: "operator"; readonly name: string }
  | { readonly kind: "host"; readonly id: string }
  | { readonly kind: "installer"; readonly id: string }
  | { readonly kind: "server"; readonly name: string };

export type IdentityKind = PeerIdentity["kind"];

/** An identity and the domain whose CA vouches for it. */
export interface DomainIdentity {
  readonly trustDomain: string;
  readonly identity: PeerIdentity;
}

// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md, sections 2.1 and 2.2. Nothing is ever percent-encoded,
// so two spellings of one identity cannot exist.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const URI = /^spiffe:\/\/([^/]*)(?:\/([^/]*)\/([^/]*))?$/;

/** `spiffe://<trust domain>/<kind>/<name or id>`. Refuses what `parseIdentityUri` would refuse. */
export function identityUri(trustDomain: string, identity: PeerIdentity): string {
  const key = "name" in identity ? identity.name : identity.id;
  identityOf(identity.kind, key);
  return `${trustDomainUri(trustDomain)}/${identity.kind}/${key}`;
}

/** The identity of a certificate authority: its trust domain, without a path. */
export function trustDomainUri(trustDomain: string): string {
  if (!TRUST_DOMAIN.test(trustDomain)) {
    throw refusal("trust domain", trustDomain, "use lower-case letters, digits, '.', '-' and '_', at most 255");
  }
  return `spiffe://${trustDomain}`;
}

/** Reads `spiffe://<trust domain>/{operator/<name>,host/<uuid>,installer/<uuid>,server/<name>}` and nothing else. */
export function parseIdentityUri(uri: string): DomainIdentity {
  const [, trustDomain, kind, key] = URI.exec(uri) ?? [];
  if (trustDomain === undefined || kind === undefined || key === undefined) throw refusal("identity URI", uri);
  trustDomainUri(trustDomain);
  return { trustDomain, identity: identityOf(kind, key) };
}

/** Reads the URI of a certificate authority; returns its trust domain. */
export function parseTrustDomainUri(uri: string): string {
  const [, trustDomain, kind] = URI.exec(uri) ?? [];
  if (trustDomain === undefined || kind !== undefined) throw refusal("trust domain URI", uri);
  trustDomainUri(trustDomain);
  return trustDomain;
}

/** `operator alice`, `host 0190…`: for messages and audit. */
export function identityText(identity: PeerIdentity): string {
  return `${identity.kind} ${"name" in identity ? identity.name : identity.id}`;
}

function identityOf(kind: string, key: string): PeerIdentity {
  if (kind === "operator" || kind === "server") {
    if (!NAME.test(key)) throw refusal(`${kind} name`, key, "use letters, digits, '.', '-' and '_', at most 64");
    return { kind, name: key };
  }
  if (kind !== "host" && kind !== "installer") throw refusal("kind of identity", kind);
  if (!UUID.test(key)) throw refusal(`${kind} id`, key, "use a UUID in lower case");
  return { kind, id: key };
}

function refusal(what: string, value: string, hint = ""): HpsError {
  return new HpsError("invalid", `not a ${what}: ${quote(value)}`, { hint });
}
