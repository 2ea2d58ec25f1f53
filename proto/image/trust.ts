/** Whether an image is signed as a cluster's key set asks, and whether sets follow one another as a host asks that keeps one. */
import { HpsError } from "../values/hps-error.ts";
import { type ImageRef, imageWanted } from "../values/image-ref.ts";
import { quote } from "../values/safe-text.ts";
import { checkNextKeySet, type KeySet, type SignedKeySet } from "./key-set.ts";
import {
  checkStatement,
  type ExpectedStatement,
  parseSignedStatement,
  type SignedStatement,
  signingHint,
} from "./statement.ts";

/** An image as it is about to be installed. */
export interface OrderedImage {
  /** As somebody named it. */
  readonly ref: ImageRef;
  /** Of its manifest. */
  readonly digest: string;
  /** Statements with their signatures, unread. */
  readonly signatures: readonly Uint8Array[];
}

/** More are no cluster's: each is one change of its keys. */
export const MOST_KEY_SETS = 256;

/** The first of its signatures that a key of `set` made over just this; `denied` says why there is none. */
export function checkSigned({ ref, digest, signatures }: OrderedImage, set: KeySet): SignedStatement {
  const keys = set.keys.map(({ key }) => key);
  let wrong: HpsError | undefined;
  for (const bytes of signatures) {
    try {
      const found = parseSignedStatement(bytes);
      checkStatement(found, keys, expectedOf({ ref, digest }, set, found));
      return found;
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
      wrong ??= error;
    }
  }
  const cluster = quote(set.cluster);
  const wanted = imageWanted(ref);
  if (wrong === undefined) {
    throw new HpsError("denied", `image ${ref} bears no signature, and cluster ${cluster} takes only signed images`, {
      hint: signingHint(wanted.kind === "name" ? ref : undefined),
    });
  }
  throw new HpsError("denied", `image ${ref} is not signed as cluster ${cluster} asks: ${wrong.message}`, {
    ...{ hint: wrong.hint, details: wrong.details, cause: wrong },
  });
}

/** A name means one library; a digest alone may be of the cluster's or of the shared one. */
function expectedOf(
  { ref, digest }: Omit<OrderedImage, "signatures">,
  { cluster }: KeySet,
  found: SignedStatement,
): ExpectedStatement {
  const wanted = imageWanted(ref);
  if (wanted.kind === "name") return { cluster: wanted.shared ? "" : cluster, name: wanted.name, digest };
  return { cluster: found.cluster === "" ? "" : cluster, digest };
}

/**
 * Throws unless `sets`, oldest first, lead from the set that a host keeps to their last one: each signed by a key of the one
 * before. What is older than the kept one was followed before.
 */
export function checkKeySets(kept: SignedKeySet, sets: readonly SignedKeySet[]): void {
  const current = sets.at(-1);
  if (current === undefined) {
    throw refused(kept, "hpsd names no keys");
  }
  let last = kept;
  for (const set of sets) {
    if (set.serial < last.serial || isSame(set, last)) continue;
    checkNextKeySet(last, set);
    last = set;
  }
  if (!isSame(last, current)) throw refused(kept, `hpsd names the older key set ${current.serial}`);
}

function isSame(one: SignedKeySet, other: SignedKeySet): boolean {
  return one.bytes.equals(other.bytes);
}

function refused({ serial, cluster }: KeySet, what: string): HpsError {
  return new HpsError("denied", `${what}, but key set ${serial} of cluster ${quote(cluster)} is kept here`, {
    hint: "have the cluster's keys set as they were: hpsctl cluster set-keys",
  });
}
