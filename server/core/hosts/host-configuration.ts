import type { SignedKeySet } from "../../../proto/image/key-set.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { InstallerFileName } from "../../../proto/values/installer-file.ts";
import type { MirrorUrl } from "../../../proto/values/mirror-url.ts";
import { imageMirrorsOf } from "../../store/clusters.ts";
import type { Db } from "../../store/database.ts";
import { type HostRecord, hostById } from "../../store/hosts.ts";
import { selectSignaturesOf } from "../../store/image-trust.ts";
import { type NamedImageRow, selectImageByDigest } from "../../store/images.ts";
import { type InstallationRow, type StorageWish, selectInstallation } from "../../store/installations.ts";
import { type DeltaRow, type IndexedFile, librariesOf, selectDeltasTo, selectPacksOf } from "../../store/packs.ts";
import type { FileWish } from "../files/incoming-file.ts";
import { selectTrustedSets } from "../images/image-trust.ts";
import { type NetworkOrder, networkOrderOf, type TargetLink } from "./network-order.ts";

/** What a host's own agent is told: its own configuration, and its cluster's facts as a member. */
export interface HostConfiguration {
  readonly hostId: string;
  readonly hostName: string;
  readonly cluster: string;
  readonly domain: string;
  readonly macs: readonly string[];
  readonly addresses: readonly string[];
  readonly profile: string;
  readonly tags: ReadonlyMap<string, string>;
  /** What an installer is to do; an installed system has nothing to install. */
  readonly order?: InstallOrder;
}

export interface InstallOrder {
  readonly installation: string;
  /** Undefined: there is nothing to install. */
  readonly image: OrderedImage | undefined;
  readonly wipeDiskSerials: readonly string[];
  readonly storage: StorageWish;
  readonly network: NetworkOrder;
  /** Undefined where no installer was imported. */
  readonly tools: FileWish | undefined;
  readonly rescue: boolean;
}

/** What is to be installed, and of what it is read. */
interface OrderedImage extends NamedImageRow {
  readonly packs: readonly IndexedFile[];
  readonly deltas: readonly DeltaRow[];
  /** Statements with their signatures. */
  readonly signatures: readonly Uint8Array[];
  /** Whom the cluster believes: oldest first, none where it takes images without a signature. */
  readonly keySets: readonly SignedKeySet[];
  /** Where packs and deltas are beside hpsd. */
  readonly mirrors: readonly MirrorUrl[];
}

export interface ConfigurationSources {
  readonly targetLink: TargetLink | undefined;
  readonly installers: { readonly file: (name: InstallerFileName, digest?: string) => FileWish | undefined };
}

/** `not-found` for a host that is gone; for an installer, `precondition` for an order that can no longer be carried out. */
export async function hostConfiguration(
  db: Db,
  sources: ConfigurationSources,
  { hostId, forInstaller }: { readonly hostId: string; readonly forInstaller: boolean },
): Promise<HostConfiguration> {
  const host = await hostById(db, hostId);
  if (host === undefined) throw new HpsError("not-found", "the host was just deleted");
  const { id, name, cluster, domain, macs, addresses, profile, tags } = host;
  const own = { hostId: id, hostName: name, cluster, domain, macs, addresses, profile, tags };
  const installation = forInstaller && host.installation && (await selectInstallation(db, host.installation.id));
  return installation ? { ...own, order: await orderOf(db, sources, host, installation) } : own;
}

async function orderOf(
  db: Db,
  { targetLink, installers }: ConfigurationSources,
  host: HostRecord,
  row: InstallationRow,
): Promise<InstallOrder> {
  const { id, wipeDiskSerials, storage, rescue } = row;
  const image = row.image === "" ? undefined : await orderedImage(db, row);
  return {
    ...{ installation: id, image, wipeDiskSerials, storage, rescue },
    // Where nothing is installed no installed system has to reach the network.
    network: networkOrderOf(image === undefined ? { ...host, network: "dhcp" } : host, targetLink),
    // Of the installer this machine booted: another one's need not fit its kernel.
    tools: installers.file("tools.squashfs", row.installer === "" ? undefined : row.installer),
  };
}

/** What its name meant when the host was armed, under the name that was said then. */
async function orderedImage(db: Db, { clusterId, image: name, imageDigest }: InstallationRow): Promise<OrderedImage> {
  const image = await selectImageByDigest(db, librariesOf(clusterId), imageDigest);
  if (image === undefined) {
    throw new HpsError("precondition", `image ${name} is no more`, { hint: "import it again, or cancel" });
  }
  return {
    ...image,
    name,
    packs: await selectPacksOf(db, image),
    deltas: await selectDeltasTo(db, image),
    mirrors: await imageMirrorsOf(db, clusterId),
    signatures: await selectSignaturesOf(db, image),
    keySets: await selectTrustedSets(db, clusterId),
  };
}
