import type { KeyObject, X509Certificate } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Credentials, pairCredentials } from "../../certs/credentials.ts";
import { readCertificatesPem } from "../../certs/files.ts";
import { identityText } from "../../certs/identity.ts";
import { isSignedStatement } from "../../certs/statement.ts";
import { createTrust, type Trust } from "../../certs/trust.ts";
import { verifyPeer } from "../../certs/verify.ts";
import { DIRECT_LIST_CONTEXT, LONGEST_DIRECT_LIST_MS } from "../../proto/direct/list.ts";
import { type DirectAccessList, DirectAccessListSchema } from "../../proto/gen/hps/v1/direct_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { ListLife } from "./list-time.ts";

/** As hpsd gave it, and as it is kept. */
export interface SignedList {
  readonly list: Uint8Array;
  readonly signature: Uint8Array;
  /** PEM, leaf first. */
  readonly signerChain: string;
  readonly certificateChain: string;
}

/** An operator who may come in by this key. */
interface DirectEntry {
  readonly name: string;
  /** UTC milliseconds; undefined: with the list. */
  readonly until: number | undefined;
}

/** Who may enter this host directly. */
export interface DirectList extends ListLife {
  readonly hostId: string;
  readonly host: string;
  readonly cluster: string;
  readonly counter: bigint;
  /** By SHA-256 of the SPKI, hex. */
  readonly entries: ReadonlyMap<string, DirectEntry>;
  readonly reasonRequired: boolean;
  readonly recordInput: boolean;
  /** Milliseconds; 0: none. */
  readonly timeLimit: number;
  readonly idleLimit: number;
  /** What the door answers with. */
  readonly credentials: Credentials;
  /** The authority's intermediates that are known from it. */
  readonly intermediates: readonly X509Certificate[];
}

export interface ListReader {
  readonly hostId: string;
  /** Of the authority this agent believes. */
  readonly roots: readonly X509Certificate[];
  /** Of the door. */
  readonly doorKey: KeyObject;
}

const MOST_ENTRIES = 10_000;

/** Takes a list only when hpsd signed it, for this host, for at most 12 h. `unauthenticated` or `invalid` with why not. */
export function readSignedList(signed: SignedList, { hostId, roots, doorKey }: ListReader): DirectList {
  const [signer, ...above] = readCertificatesPem(signed.signerChain, "the list's signature");
  const said = { bytes: signed.list, signature: signed.signature };
  if (signer === undefined || !isSignedStatement(signer.publicKey, DIRECT_LIST_CONTEXT, said)) {
    throw new HpsError("unauthenticated", "the list's signature is not by the certificate that came with it");
  }
  const list = decoded(signed.list);
  const life = lifeOf(list);
  const trust = trustOf(roots, above);
  const { identity } = verifyPeer(trust, { leaf: signer.raw, purpose: "server", now: life.issuedAt });
  if (identity.kind !== "server") {
    throw new HpsError("unauthenticated", `the list is signed by ${identityText(identity)}, which is no hpsd`);
  }
  if (list.hostId !== hostId)
    throw new HpsError("invalid", `the list is for host ${list.hostId}, and this is ${hostId}`);
  const { cluster, host, counter, reasonRequired, recordInput, timeLimit, idleLimit } = list;
  return {
    ...{ ...life, hostId, cluster, host, counter, reasonRequired, recordInput, intermediates: above },
    timeLimit: timeLimit === undefined ? 0 : durationMs(timeLimit),
    idleLimit: idleLimit === undefined ? 0 : durationMs(idleLimit),
    entries: entriesOf(list),
    credentials: doorOf(signed.certificateChain, doorKey, { trust, hostId, at: life.issuedAt }),
  };
}

/** Of the roots and those intermediates that are not among them. */
export function trustOf(roots: readonly X509Certificate[], above: readonly X509Certificate[]): Trust {
  return createTrust(
    roots,
    above.filter((authority) => !roots.some(({ raw }) => raw.equals(authority.raw))),
  );
}

function decoded(bytes: Uint8Array): DirectAccessList {
  try {
    return fromBinary(DirectAccessListSchema, bytes);
  } catch (cause) {
    throw new HpsError("invalid", "the list is none", { cause });
  }
}

function lifeOf({ issueTime, expireTime }: DirectAccessList): ListLife {
  const issuedAt = issueTime === undefined ? Number.NaN : timestampMs(issueTime);
  const expiresAt = expireTime === undefined ? Number.NaN : timestampMs(expireTime);
  if (expiresAt > issuedAt && expiresAt - issuedAt <= LONGEST_DIRECT_LIST_MS) return { issuedAt, expiresAt };
  throw new HpsError("invalid", "the list says not, or not in bounds, how long it is good");
}

function entriesOf({ operators }: DirectAccessList): ReadonlyMap<string, DirectEntry> {
  const entries = operators.flatMap(({ name, keys, expireTime }) => {
    const until = expireTime === undefined ? undefined : timestampMs(expireTime);
    return keys.map((key) => [Buffer.from(key).toString("hex"), { name, until }] as const);
  });
  if (entries.length > MOST_ENTRIES) throw new HpsError("invalid", `the list has more than ${MOST_ENTRIES} keys`);
  return new Map(entries);
}

function doorOf(
  pem: string,
  key: KeyObject,
  { trust, hostId, at }: { readonly trust: Trust; readonly hostId: string; readonly at: number },
): Credentials {
  const credentials = pairCredentials(key, readCertificatesPem(pem, "the door's certificate"));
  const { identity } = verifyPeer(trust, { leaf: credentials.certificate.raw, purpose: "server", now: at });
  if (identity.kind === "host" && identity.id === hostId) return credentials;
  throw new HpsError("invalid", `the certificate to answer with is of ${identityText(identity)}, not of this host`);
}
