import { checkNextKeySet, type KeySet, parseKeySet, type SignedKeySet } from "../../../proto/image/key-set.ts";
import { keySetBytes } from "../../../proto/image/signed-message.ts";
import { keyIdOf } from "../../../proto/image/signing-key.ts";
import { checkStatement, parseSignedStatement } from "../../../proto/image/statement.ts";
import { checkSigned, MOST_KEY_SETS } from "../../../proto/image/trust.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type ImageRef, parseImageName } from "../../../proto/values/image-ref.ts";
import { quote } from "../../../proto/values/safe-text.ts";
import { clusterById } from "../../store/clusters.ts";
import type { Db, HpsStore } from "../../store/database.ts";
import {
  insertKeySet,
  type KeySetRow,
  putSignature,
  selectCurrentKeySets,
  selectKeySets,
  selectSignaturesOf,
  selectSigners,
} from "../../store/image-trust.ts";
import { type NamedImageRow, SHARED_LIBRARY, selectImage } from "../../store/images.ts";
import { type Audit, actorOfCaller, type Clock } from "../audit/audit.ts";
import type { Caller } from "../identity/principal.ts";
import { noImage } from "./find-image.ts";
import { importerOf } from "./images.ts";

/** The sets of a cluster, the last of which counts. */
export interface ClusterKeys {
  readonly cluster: string;
  /** Oldest first; one at least. */
  readonly sets: readonly SignedKeySet[];
  readonly setBy: string;
  /** UTC milliseconds. */
  readonly setAt: number;
}

/** A set that is to count from now on. */
export interface NewKeySet {
  readonly set: SignedKeySet;
  /** No key of the set before signed it, and none is asked to. */
  readonly withoutOldKey: boolean;
}

/** A key, as the cluster's set calls it; empty where it does not know it. */
export interface Signer {
  readonly keyId: string;
  readonly label: string;
}

interface Deps {
  readonly store: HpsStore;
  readonly clock: Clock;
  readonly audit: Audit;
}

/** Who vouches for images: signatures of keys that hpsd never sees, and which of those keys each cluster believes. */
export class ImageTrust {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Keeps a signature over what a name stands for now. Undefined as cluster: of the shared library. */
  async addSignature(
    caller: Caller,
    clusterId: string | undefined,
    { name: text, signed }: { readonly name: string; readonly signed: Buffer },
  ): Promise<NamedImageRow> {
    const { store, clock, audit } = this.#deps;
    const { name } = parseImageName(text);
    const found = parseSignedStatement(signed);
    return await store.write(async (tx) => {
      const image = await selectImage(tx, clusterId ?? SHARED_LIBRARY, name);
      if (image === undefined) throw noImage(name);
      if (image.format !== "packs") throw unsignable(name);
      const { library, digest, cluster } = image;
      const key = checkStatement(found, await keysFor(tx, clusterId, cluster), { cluster, digest, name });
      const keyId = keyIdOf(key).toString("hex");
      await putSignature(tx, {
        ...{ library, digest, name, keyId, signed, addedBy: importerOf(caller), createdAt: clock() },
      });
      await audit.allowed(tx, actorOfCaller(caller), {
        ...{ target: `image:${image.id}`, clusterId: clusterId ?? null },
        details: { name, digest, key: keyId, signed: new Date(Math.min(found.time, LAST_TIME)).toISOString() },
      });
      return image;
    });
  }

  /** Who signed what the name of each stands for, by the image's id. */
  async signersOf(images: readonly NamedImageRow[]): Promise<ReadonlyMap<string, readonly Signer[]>> {
    return await this.#deps.store.read(async (db) => {
      const rows = await selectSigners(db, images);
      const labels = new Map<string, ReadonlyMap<string, string>>();
      for (const library of new Set(rows.map((row) => row.library))) labels.set(library, await labelsOf(db, library));
      const isOf = (image: NamedImageRow) => (row: (typeof rows)[number]) =>
        row.library === image.library && row.digest === image.digest && (image.name === "" || row.name === image.name);
      return new Map(
        images.map((image) => {
          const ids = new Set(rows.filter(isOf(image)).map(({ keyId }) => keyId));
          return [image.id, [...ids].map((keyId) => ({ keyId, label: labels.get(image.library)?.get(keyId) ?? "" }))];
        }),
      );
    });
  }

  /** `not-found` for a cluster without keys. */
  async keysOf(clusterId: string): Promise<ClusterKeys> {
    return await this.#deps.store.read(async (db) => await clusterKeys(db, clusterId));
  }

  /** The set that counts from now on. */
  async setKeys(caller: Caller, clusterId: string, { set, withoutOldKey }: NewKeySet): Promise<ClusterKeys> {
    const { store, clock, audit } = this.#deps;
    return await store.write(async (tx) => {
      const cluster = await nameOf(tx, clusterId);
      const before = setsOf(await selectKeySets(tx, clusterId));
      if (before.at(-1)?.bytes.equals(set.bytes)) return await clusterKeys(tx, clusterId);
      checkFollows(cluster, before, { set, withoutOldKey });
      const row = { clusterId, serial: set.serial, signed: keySetBytes(set), setBy: importerOf(caller) };
      await insertKeySet(tx, { ...row, createdAt: clock() });
      const details = { cluster, serial: String(set.serial), keys: idsOf(set), withoutOldKey: String(withoutOldKey) };
      await audit.allowed(tx, actorOfCaller(caller), { target: `cluster:${clusterId}`, clusterId, details });
      return await clusterKeys(tx, clusterId);
    });
  }
}

/** `precondition` when the host's cluster has keys and none of them signed this image; `ref` is what it is asked for by. */
export async function refuseUnsigned(db: Db, clusterId: string, ref: ImageRef, image: NamedImageRow): Promise<void> {
  const set = setsOf(await selectKeySets(db, clusterId)).at(-1);
  if (set === undefined) return;
  if (image.format !== "packs") throw unsignable(ref);
  try {
    checkSigned({ ref, digest: image.digest, signatures: await selectSignaturesOf(db, image) }, set);
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    const { message, hint, details, cause } = error;
    throw new HpsError("precondition", message, { hint, details, cause });
  }
}

/** As an agent is told them: oldest first, none where no signature is asked for. */
export async function selectTrustedSets(db: Db, clusterId: string): Promise<readonly SignedKeySet[]> {
  return setsOf(await selectKeySets(db, clusterId));
}

/** The last time that a date can be written for. */
const LAST_TIME = 8.64e15;

async function clusterKeys(db: Db, clusterId: string): Promise<ClusterKeys> {
  const cluster = await nameOf(db, clusterId);
  const rows = await selectKeySets(db, clusterId);
  const last = rows.at(-1);
  if (last === undefined) {
    throw new HpsError("not-found", `cluster ${cluster} has no key set: its images need no signature`, {
      hint: `to ask for signatures: hpsctl cluster set-keys ${cluster} KEY.pub`,
    });
  }
  return { cluster, sets: setsOf(rows), setBy: last.setBy, setAt: last.createdAt };
}

/** By their ids, as the set calls them that counts. The shared library has none of its own. */
async function labelsOf(db: Db, library: string): Promise<ReadonlyMap<string, string>> {
  const keys = setsOf(await selectKeySets(db, library)).at(-1)?.keys ?? [];
  return new Map(keys.map(({ key, label }) => [keyIdOf(key).toString("hex"), label]));
}

function setsOf(rows: readonly KeySetRow[]): readonly SignedKeySet[] {
  return rows.map(({ signed }) => parseKeySet(signed));
}

async function nameOf(db: Db, clusterId: string): Promise<string> {
  const cluster = await clusterById(db, clusterId);
  if (cluster === undefined) throw new HpsError("not-found", "the cluster was just deleted");
  return cluster.name;
}

/** Which keys may sign: the cluster's, or for the shared library those of any cluster. */
async function keysFor(db: Db, clusterId: string | undefined, cluster: string): Promise<readonly Buffer[]> {
  const sets =
    clusterId === undefined
      ? (await selectCurrentKeySets(db)).map((signed) => parseKeySet(signed))
      : setsOf(await selectKeySets(db, clusterId)).slice(-1);
  if (sets.length > 0) return sets.flatMap(({ keys }) => keys.map(({ key }) => key));
  const whose = clusterId === undefined ? "no cluster has" : `cluster ${cluster} has no`;
  throw new HpsError("precondition", `${whose} key set to check a signature by`, {
    hint: "hpsctl cluster set-keys CLUSTER KEY.pub",
  });
}

function checkFollows(cluster: string, before: readonly SignedKeySet[], { set, withoutOldKey }: NewKeySet): void {
  const last = before.at(-1);
  if (set.cluster !== cluster) {
    throw new HpsError("invalid", `the key set is of cluster ${quote(set.cluster)}, not of ${cluster}`);
  }
  if (before.length >= MOST_KEY_SETS) {
    throw new HpsError("exhausted", `cluster ${cluster} has had ${MOST_KEY_SETS} key sets, and hosts read no more`);
  }
  if (last === undefined) return;
  if (set.serial <= last.serial) {
    throw new HpsError("precondition", `key set ${set.serial} is not later than set ${last.serial} of ${cluster}`, {
      hint: "it may have been changed meanwhile: hpsctl cluster keys shows it",
    });
  }
  if (!withoutOldKey) checkNextKeySet(last, set);
}

function idsOf({ keys }: KeySet): string {
  return keys.map(({ key, label }) => `${label}=${keyIdOf(key).toString("hex")}`).join(",");
}

function unsignable(ref: string): HpsError {
  return new HpsError("precondition", `image ${ref} is an archive, which cannot be signed`, {
    hint: "import it without --archive, then: hpsctl image sign",
  });
}
