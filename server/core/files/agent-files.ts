import type { Db, HpsStore } from "../../store/database.ts";
import { selectImagesOfHost } from "../../store/image-uses.ts";
import { selectImageByDigest } from "../../store/images.ts";
import { selectInstallation } from "../../store/installations.ts";
import { librariesOf, selectIndexedFile } from "../../store/packs.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller, HostPrincipal, InstallerPrincipal } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { Images } from "../images/images.ts";
import type { Installers } from "../installers/installers.ts";
import type { StoredFile } from "./incoming-file.ts";

export interface AgentFilesDeps {
  readonly store: HpsStore;
  readonly refusals: RecordsRefusals;
  readonly images: Pick<Images, "file" | "indexedFile">;
  readonly installers: Pick<Installers, "file">;
}

/**
 * The file with this digest, where the caller may read it: manifests, packs and deltas of its cluster's library and of the
 * shared one; an archive when it is that of its own installation, or what its disk bears; an installer also the tools of the
 * installer it booted, and nothing once its installation is over. Undefined for everything else, which is recorded: no honest
 * agent asks for it.
 */
export async function agentFile(deps: AgentFilesDeps, caller: Caller, digest: string): Promise<StoredFile | undefined> {
  const { store, refusals } = deps;
  const { principal } = caller;
  const file = await store.read(async (db) => {
    if (principal.kind === "installer") return await fileOfInstaller(db, deps, principal, digest);
    return principal.kind === "host" ? await fileOfMember(db, deps, principal, digest) : undefined;
  });
  if (file !== undefined) return file;
  const whose = "hostId" in principal ? { target: `host:${principal.hostId}`, clusterId: principal.clusterId } : {};
  const reason = "asked for a file that is not of its installation";
  await refusals.refused(actorOfCaller(caller), { ...whose, reason, details: { digest } });
  return undefined;
}

async function fileOfInstaller(
  db: Db,
  deps: AgentFilesDeps,
  installer: InstallerPrincipal,
  digest: string,
): Promise<StoredFile | undefined> {
  const { installationId } = installer;
  const row = await selectInstallation(db, installationId);
  if (row?.outcome !== "open") return undefined;
  const tools = deps.installers.file("tools.squashfs", row.installer === "" ? undefined : row.installer);
  if (tools?.digest === digest) return tools;
  return await fileOfMember(db, deps, installer, digest);
}

/** Of a library that the host's cluster may read; of an archive's bytes, those of its own installations, or of this one alone. */
async function fileOfMember(
  db: Db,
  { images }: AgentFilesDeps,
  principal: InstallerPrincipal | HostPrincipal,
  digest: string,
): Promise<StoredFile | undefined> {
  const libraries = librariesOf(principal.clusterId);
  const image = await selectImageByDigest(db, libraries, digest);
  if (image?.format === "packs") return images.file(image);
  if (image === undefined) {
    const indexed = await selectIndexedFile(db, libraries, digest);
    return indexed && images.indexedFile(indexed);
  }
  const own = (await selectImagesOfHost(db, principal.hostId)).filter((mine) => mine.digest === digest);
  const isOwn = own.some(({ installation }) => principal.kind === "host" || installation === principal.installationId);
  return isOwn ? images.file(image) : undefined;
}
