import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { createIntermediate, createRoot } from "../../../certs/authority.ts";
import { encryptedKeyPem, type ScryptCost } from "../../../certs/encrypted-key.ts";
import { writePrivateKeyFile } from "../../../certs/files.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { HpsStore } from "../../store/database.ts";
import { insertIntermediate } from "../../store/intermediates.ts";
import { insertSetting, selectSetting } from "../../store/settings.ts";
import type { Clock } from "../audit/audit.ts";
import { KeyFolder } from "./key-folder.ts";
import { LIFETIME } from "./lifetimes.ts";

export interface InitAuthorityOptions {
  readonly store: HpsStore;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly trustDomain: string;
  /** Where the root's private key goes, encrypted: outside the state folder, and to no file that exists. */
  readonly rootKeyOut: string;
  /** At least 8 bytes. */
  readonly passphrase: string;
  /** What a guess at the passphrase costs. Tests set it: at its default each authority takes a seventh of a second of a processor. */
  readonly passphraseCost?: ScryptCost;
}

/**
 * Makes the root and the first intermediate. The root's key is written once, encrypted, where `rootKeyOut` says, before
 * anything counts; hpsd never reads it. `precondition` when this state folder has an authority already. Gives the root's PEM.
 */
export async function initAuthority(options: InitAuthorityOptions): Promise<string> {
  const { store, stateFolder, rootKeyOut, trustDomain, passphrase, passphraseCost } = options;
  await refuseOld(store);
  await refusePlace(stateFolder, rootKeyOut);
  const now = options.clock();
  const root = await createRoot({ trustDomain, name: "HPS root", now, lifetime: LIFETIME.root });
  const intermediate = await createIntermediate(root, { name: "HPS issuing", now, lifetime: LIFETIME.intermediate });
  const id = newUuid();
  const keys = new KeyFolder(stateFolder);
  await keys.open();
  await keys.write(id, intermediate.privateKey);
  await writePrivateKeyFile(rootKeyOut, encryptedKeyPem(root.privateKey, passphrase, passphraseCost));
  const notAfter = intermediate.certificate.validToDate.getTime();
  await store.write(async (tx) => {
    await insertSetting(tx, "trust-domain", trustDomain);
    await insertSetting(tx, "root-certificate", root.certificate.toString());
    const pem = intermediate.certificate.toString();
    await insertIntermediate(tx, { id, state: "active", pem, notAfter, createdAt: now });
  });
  return root.certificate.toString();
}

async function refuseOld(store: HpsStore): Promise<void> {
  const old = await store.read((db) => selectSetting(db, "trust-domain"));
  if (old === undefined) return;
  throw new HpsError("precondition", `this state folder is initialised already, for trust domain ${old}`);
}

async function refusePlace(stateFolder: string, rootKeyOut: string): Promise<void> {
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  refuseRootKeyIn(stateFolder, rootKeyOut);
  const exists = await stat(rootKeyOut).then(
    () => true,
    () => false,
  );
  if (exists) throw new HpsError("exists", `${rootKeyOut} exists`, { hint: "it may be another root's key" });
}

/** `invalid` when the file would lie in the state folder: whoever takes that must not take the root with it. */
export function refuseRootKeyIn(stateFolder: string, rootKeyOut: string): void {
  const within = path.relative(path.resolve(stateFolder), path.resolve(rootKeyOut));
  if (within === ".." || within.startsWith(`..${path.sep}`) || path.isAbsolute(within)) return;
  throw new HpsError("invalid", `the root key may not lie in the state folder: ${rootKeyOut}`, {
    hint: "write it to removable or offline storage",
  });
}
