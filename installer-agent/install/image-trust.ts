import type { ImageSource } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { SignedKeySet } from "../../proto/image/key-set.ts";
import { keySetsOf, signatureBytes } from "../../proto/image/signed-message.ts";
import { keyIdOf } from "../../proto/image/signing-key.ts";
import { checkKeySets, checkSigned } from "../../proto/image/trust.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import type { InstallOrder } from "./install-order.ts";

/** What hpsd hands on for an image to be believed; nobody has checked it yet. */
export interface ImageProof {
  /** Statements with their signatures. */
  readonly signatures: readonly Buffer[];
  /** The cluster's keys, oldest set first; none where images need no signature. */
  readonly keySets: readonly SignedKeySet[];
}

/** More are no image's. */
const MOST_SIGNATURES = 1024;

export function parseProof({ signatures, keySet }: Pick<ImageSource, "signatures" | "keySet">): ImageProof {
  if (signatures.length > MOST_SIGNATURES) {
    throw new HpsError("invalid", `hpsd names ${signatures.length} signatures of the image, which no image has`);
  }
  return { signatures: signatures.map(signatureBytes), keySets: keySet === undefined ? [] : keySetsOf(keySet) };
}

/**
 * Throws unless the image is signed as its cluster's key set asks, and that set follows from the one `kept` on the disk.
 * Gives the current set and a sentence; undefined where no signature is asked for.
 */
export function checkImageTrust(
  { image }: Pick<InstallOrder, "image">,
  cluster: string,
  kept?: SignedKeySet,
): { readonly set: SignedKeySet; readonly sentence: string } | undefined {
  const { name, proof } = image;
  if (kept !== undefined) refuseOther(kept, proof.keySets);
  const set = proof.keySets.at(-1);
  if (set === undefined) return undefined;
  if (set.cluster !== cluster) {
    throw new HpsError("denied", `hpsd names the key set of cluster ${quote(set.cluster)} to a host of ${cluster}`);
  }
  if (image.format !== "packs") {
    throw new HpsError("denied", `the image ${name} is an archive, which cannot be signed, and ${cluster} has keys`, {
      hint: "import it without --archive, sign it, and install that",
    });
  }
  const { digest } = image.files.manifest;
  const { time, keyId } = checkSigned({ ref: name, digest, signatures: proof.signatures }, set);
  const key = set.keys.find((candidate) => keyIdOf(candidate.key).equals(keyId));
  const at = time <= LAST_TIME ? new Date(time).toISOString() : `${time} ms`;
  return {
    set,
    sentence: `the image ${name} was signed at ${at} by ${quote(key?.label ?? "")}, key set ${set.serial}`,
  };
}

/** The last time that a date can be written for. */
const LAST_TIME = 8.64e15;

function refuseOther(kept: SignedKeySet, sets: readonly SignedKeySet[]): void {
  try {
    checkKeySets(kept, sets);
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    throw new HpsError("denied", `the system on this disk believes other keys: ${error.message}`, {
      hint: "have the new keys signed by an old one; if that is lost, wipe the disk by hand: hpsctl host rescue HOST, then wipefs --all",
      cause: error,
    });
  }
}
