/** A key for images that hpsd itself holds, for those to whom a signature by another hand is too much: it says no more than hpsd does. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { readPrivateKeyFile, writePrivateKeyFile } from "../../../certs/files.ts";
import { encodeKeySet, parseKeySet } from "../../../proto/image/key-set.ts";
import { signed } from "../../../proto/image/signed.ts";
import { keyIdOf, publicKeyBytes } from "../../../proto/image/signing-key.ts";
import { encodeStatement } from "../../../proto/image/statement.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { HpsStore, Tx } from "../../store/database.ts";
import { insertKeySet, putSignature, selectCurrentKeySets, selectKeySets } from "../../store/image-trust.ts";
import { type NamedImageRow, SHARED_LIBRARY } from "../../store/images.ts";

/** As key sets and audit call it, so that nobody takes it for a key that is elsewhere. */
export const CONVENIENCE = "convenience";

/** Where it lies: beside hpsd's other keys, which are all in a backup. */
function fileIn(stateFolder: string): string {
  return path.join(stateFolder, "ca", `image-${CONVENIENCE}.key`);
}

/** Makes the key, and has the cluster believe it and no other. */
export async function makeConvenienceKey(
  {
    store,
    stateFolder,
    clock,
  }: { readonly store: HpsStore; readonly stateFolder: string; readonly clock: () => number },
  cluster: { readonly id: string; readonly name: string },
): Promise<void> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const file = fileIn(stateFolder);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writePrivateKeyFile(file, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const time = clock();
  const keys = [{ key: publicKeyBytes(privateKey), label: CONVENIENCE }];
  const set = encodeKeySet({ cluster: cluster.name, serial: 1, time, keys });
  const row = { clusterId: cluster.id, serial: 1, signed: set, setBy: "hpsd", createdAt: time };
  await store.write((tx) => insertKeySet(tx, row));
}

/** Undefined where `init` made none. */
export async function readConvenienceKey(stateFolder: string): Promise<KeyObject | undefined> {
  try {
    return createPrivateKey(await readPrivateKeyFile(fileIn(stateFolder)));
  } catch (error) {
    if (error instanceof HpsError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** Signs what an image's name stands for from now on, in the caller's transaction. Answers whether it did. */
export type ImageSigner = (tx: Tx, image: NamedImageRow) => Promise<boolean>;

/** Signs images of packs in libraries where the key counts. */
export function convenienceSigner(privateKey: KeyObject, clock: () => number): ImageSigner {
  const key = publicKeyBytes(privateKey);
  const keyId = keyIdOf(key).toString("hex");
  return async (tx, { library, digest, name, cluster, format }) => {
    const sets =
      library === SHARED_LIBRARY
        ? await selectCurrentKeySets(tx)
        : (await selectKeySets(tx, library)).slice(-1).map(({ signed: bytes }) => bytes);
    const counts = sets.some((bytes) => parseKeySet(bytes).keys.some((trusted) => trusted.key.equals(key)));
    if (format !== "packs" || !counts) return false;
    const statement = encodeStatement({ cluster, name, digest, time: clock() });
    const row = { library, digest, name, keyId, signed: signed(statement, privateKey) };
    await putSignature(tx, { ...row, addedBy: CONVENIENCE, createdAt: clock() });
    return true;
  };
}
