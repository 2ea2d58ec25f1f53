import {
  type Configuration,
  type FileSource,
  ImageFormat,
  type ImageSource,
  NetworkMode,
  type NetworkOrder as SentNetwork,
} from "../../proto/gen/hps/v1/agent_pb.ts";
import { parseDigest } from "../../proto/values/digest.ts";
import { type DiskRule, parseDiskRule } from "../../proto/values/disk-rule.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type ImageRef, parseImageRef } from "../../proto/values/image-ref.ts";
import { type InterfaceAddress, parseInterfaceAddress } from "../../proto/values/interface-address.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";
import type { FileRef } from "../link/file-request.ts";

type ArchiveFormat = "tar" | "tar.zst" | "tar.xz";

export interface ImageOrder {
  readonly name: ImageRef;
  readonly file: FileRef;
  readonly format: ArchiveFormat;
  /** Of all regular files, unpacked. */
  readonly contentBytes: number;
  readonly entries: number;
  /** `kernel`, `initrd`, `init`: what it needs to be booted and has not. */
  readonly lacks: readonly string[];
}

interface StorageOrder {
  readonly disk: DiskRule;
  /** Of each root file system; undefined: by the size of the image. */
  readonly rootBytes: number | undefined;
  /** The chosen disk may be wiped whatever its serial number. */
  readonly wipe: boolean;
  readonly wipeSerials: readonly string[];
}

/** How the installed system reaches the network. */
interface NetworkOrder {
  readonly mode: "dhcp" | "static";
  /** Undefined: the NIC that the installer came by. */
  readonly mac: Mac | undefined;
  readonly addresses: readonly InterfaceAddress[];
  readonly gateway: IpAddress | undefined;
  readonly nameServers: readonly IpAddress[];
}

/** What is to be installed, and how. */
export interface InstallOrder {
  /** Every UUID on the disk derives from it. */
  readonly installation: Uuid;
  readonly image: ImageOrder;
  readonly storage: StorageOrder;
  readonly network: NetworkOrder;
}

/** Undefined where nothing is to be installed: a rescue, or a host without an image. */
export function parseInstallOrder(sent: Configuration): InstallOrder | undefined {
  if (sent.rescue || sent.image === "") return undefined;
  const { disk = "", rootSizeBytes = 0n, wipe = false } = sent.storage ?? {};
  const rootBytes = countOf(rootSizeBytes, "the size of the root file system");
  return {
    installation: parseUuid(sent.installation),
    image: parseImage(parseImageRef(sent.image), sent.imageSource),
    storage: {
      disk: parseDiskRule(disk),
      rootBytes: rootBytes === 0 ? undefined : rootBytes,
      ...{ wipe, wipeSerials: sent.wipeDiskSerials },
    },
    network: parseNetwork(sent.network),
  };
}

/** Reads where a file is; `what` names it in the error. */
export function parseFileSource({ digest, sizeBytes }: FileSource, what: string): FileRef {
  const checked = parseDigest(`sha256:${digest}`).slice("sha256:".length);
  return { digest: checked, sizeBytes: countOf(sizeBytes, `the length of ${what}`) };
}

const FORMATS: ReadonlyMap<ImageFormat, ArchiveFormat> = new Map([
  [ImageFormat.TAR, "tar"],
  [ImageFormat.TAR_ZSTD, "tar.zst"],
  [ImageFormat.TAR_XZ, "tar.xz"],
]);

function parseImage(name: ImageRef, source: ImageSource | undefined): ImageOrder {
  if (source?.file === undefined) {
    throw new HpsError("precondition", `hpsd names the image ${name} but not where it is`, {
      hint: "import it again: hpsctl image import",
    });
  }
  const format = FORMATS.get(source.format);
  if (format === undefined) {
    throw new HpsError("unimplemented", `this agent does not know the format of the image ${name}`, {
      hint: "boot the installer that belongs to the server",
    });
  }
  return {
    ...{ name, format, lacks: source.lacks },
    file: parseFileSource(source.file, `the image ${name}`),
    contentBytes: countOf(source.contentBytes, `the content of the image ${name}`),
    entries: countOf(source.entries, `the entries of the image ${name}`),
  };
}

function parseNetwork(sent: SentNetwork | undefined): NetworkOrder {
  const { mode = NetworkMode.DHCP, mac = "", addresses = [], gateway = "", nameServers = [] } = sent ?? {};
  if (mode !== NetworkMode.DHCP && mode !== NetworkMode.STATIC && mode !== NetworkMode.UNSPECIFIED) {
    throw new HpsError("unimplemented", "this agent does not know how the installed system is to reach the network");
  }
  const order: NetworkOrder = {
    mode: mode === NetworkMode.STATIC ? "static" : "dhcp",
    mac: mac === "" ? undefined : parseMac(mac),
    addresses: addresses.map(parseInterfaceAddress),
    gateway: gateway === "" ? undefined : parseIpAddress(gateway),
    nameServers: nameServers.map(parseIpAddress),
  };
  if (order.mode === "static" && order.addresses.length === 0) {
    throw new HpsError("precondition", "the network is to be static, but the host has no address", {
      hint: "hpsctl host edit HOST --address ADDRESS, or install with --network dhcp",
    });
  }
  return order;
}

function countOf(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HpsError("invalid", `${what} is out of range: ${quote(`${value}`)}`);
  }
  return Number(value);
}
