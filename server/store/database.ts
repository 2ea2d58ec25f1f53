import type { Migration } from "./migrate.ts";
import { openStore, type Store } from "./open-store.ts";
import { first } from "./schema/0001-first/first.ts";
import { firstInstall } from "./schema/0002-first-install/first-install.ts";
import { auditChain } from "./schema/0003-audit-chain/audit-chain.ts";
import { shellAccess } from "./schema/0004-shell-access/shell-access.ts";
import { removedRecordings } from "./schema/0005-removed-recordings/removed-recordings.ts";
import { sessionAddress } from "./schema/0006-session-address/session-address.ts";
import { keptByAgent } from "./schema/0007-kept-by-agent/kept-by-agent.ts";
import { sessionOwner } from "./schema/0008-session-owner/session-owner.ts";
import { imageLibrary } from "./schema/0009-image-library/image-library.ts";
import { imageSignatures } from "./schema/0010-image-signatures/image-signatures.ts";
import { imageMirrors } from "./schema/0011-image-mirrors/image-mirrors.ts";
import { damagedPacks } from "./schema/0012-damaged-packs/damaged-packs.ts";
import { imageRetention } from "./schema/0013-image-retention/image-retention.ts";
import type { Tables } from "./schema/tables.ts";
import type { Reader, Writer } from "./store-handle.ts";

/** hpsd's store. */
export type HpsStore = Store<Tables>;
/** A snapshot to read in. */
export type Db = Reader<Tables>;
/** A transaction to write in; durable when the function it was given to returns. */
export type Tx = Writer<Tables>;

/** Every step from an empty file to this release, in order. One that was released never changes. */
export const MIGRATIONS: readonly Migration[] = [
  { name: "0001-first", up: first },
  { name: "0002-first-install", up: firstInstall },
  { name: "0003-audit-chain", up: auditChain },
  { name: "0004-shell-access", up: shellAccess },
  { name: "0005-removed-recordings", up: removedRecordings },
  { name: "0006-session-address", up: sessionAddress },
  { name: "0007-kept-by-agent", up: keptByAgent },
  { name: "0008-session-owner", up: sessionOwner },
  { name: "0009-image-library", up: imageLibrary },
  { name: "0010-image-signatures", up: imageSignatures },
  { name: "0011-image-mirrors", up: imageMirrors },
  { name: "0012-damaged-packs", up: damagedPacks },
  { name: "0013-image-retention", up: imageRetention },
];

/** Opens or makes hpsd's store and brings it to this release. Refused while another process has it. */
export async function openHpsStore(file: string): Promise<HpsStore> {
  return await openStore<Tables>({ file, migrations: MIGRATIONS });
}
