import type { Db, HpsStore } from "../../store/database.ts";
import { selectImagesOfHost } from "../../store/images.ts";
import { selectInstallation } from "../../store/installations.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { Caller, InstallerPrincipal } from "../identity/principal.ts";
import type { RecordsRefusals } from "../identity/refusals.ts";
import type { Images } from "../images/images.ts";
import type { Installers } from "../installers/installers.ts";
import type { StoredFile } from "./incoming-file.ts";

export interface AgentFilesDeps {
  readonly store: HpsStore;
  readonly refusals: RecordsRefusals;
  readonly images: Pick<Images, "file">;
  readonly installers: Pick<Installers, "file">;
}

/**
 * The file with this digest, where the caller may read it: an installer the image of its own installation and the tools
 * of the installer it booted; a host the image it was installed from, or is to be. Undefined for everything else, which is
 * recorded: no honest agent asks for it.
 */
export async function agentFile(deps: AgentFilesDeps, caller: Caller, digest: string): Promise<StoredFile | undefined> {
  const { store, refusals } = deps;
  const { principal } = caller;
  const files = await store.read(async (db) => {
    if (principal.kind === "installer") return await filesOfInstaller(db, deps, principal);
    return principal.kind === "host" ? await imagesOf(db, deps, principal.hostId) : [];
  });
  const file = files.find((candidate) => candidate.digest === digest);
  if (file !== undefined) return file;
  const whose = "hostId" in principal ? { target: `host:${principal.hostId}`, clusterId: principal.clusterId } : {};
  const reason = "asked for a file that is not of its installation";
  await refusals.refused(actorOfCaller(caller), { ...whose, reason, details: { digest } });
  return undefined;
}

async function filesOfInstaller(
  db: Db,
  { images, installers }: AgentFilesDeps,
  { installationId, hostId }: InstallerPrincipal,
): Promise<readonly StoredFile[]> {
  const row = await selectInstallation(db, installationId);
  if (row?.outcome !== "open") return [];
  const own = (await selectImagesOfHost(db, hostId)).filter(({ installation }) => installation === installationId);
  const tools = installers.file("tools.squashfs", row.installer === "" ? undefined : row.installer);
  return [...own.map((image) => images.file(image)), ...(tools === undefined ? [] : [tools])];
}

async function imagesOf(db: Db, { images }: AgentFilesDeps, hostId: string): Promise<readonly StoredFile[]> {
  return (await selectImagesOfHost(db, hostId)).map((image) => images.file(image));
}
