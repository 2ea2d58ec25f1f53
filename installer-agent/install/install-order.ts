import {
  type Configuration,
  ImageFormat,
  type ImageSource,
  NetworkMode,
  type NetworkOrder as SentNetwork,
} from "../../proto/gen/hps/v1/agent_pb.ts";
import { type DiskRule, parseDiskRule } from "../../proto/values/disk-rule.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type ImageRef, parseImageRef } from "../../proto/values/image-ref.ts";
import { type InterfaceAddress, parseInterfaceAddress } from "../../proto/values/interface-address.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { parseUuid, type Uuid } from "../../proto/values/uuid.ts";
import type { ImageFiles } from "../image/image-source.ts";
import type { FileRef } from "../link/file-request.ts";
import { countOf, parseFileSource } from "./file-source.ts";
import { parseImageFiles } from "./image-files.ts";
import { type ImageProof, parseProof } from "./image-trust.ts";

type ArchiveFormat = "tar" | "tar.zst" | "tar.xz";

interface ImageFacts {
  readonly name: ImageRef;
  /** Of all regular files, unpacked. */
  readonly contentBytes: number;
  readonly entries: number;
  /** `kernel`, `initrd`, `init`: what it needs to be booted and has not. */
  readonly lacks: readonly string[];
  readonly proof: ImageProof;
}

export interface ArchiveOrder extends ImageFacts {
  readonly format: ArchiveFormat;
  readonly file: FileRef;
}

export interface PacksOrder extends ImageFacts {
  readonly format: "packs";
  readonly files: ImageFiles;
}

type ImageOrder = ArchiveOrder | PacksOrder;

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

const FORMATS: ReadonlyMap<ImageFormat, ArchiveFormat> = new Map([
  [ImageFormat.TAR, "tar"],
  [ImageFormat.TAR_ZSTD, "tar.zst"],
  [ImageFormat.TAR_XZ, "tar.xz"],
]);

function parseImage(name: ImageRef, source: ImageSource | undefined): ImageOrder {
  if (source === undefined) throw nowhere(name);
  const facts = {
    ...{ name, lacks: source.lacks, proof: parseProof(source) },
    contentBytes: countOf(source.contentBytes, `the content of the image ${name}`),
    entries: countOf(source.entries, `the entries of the image ${name}`),
  };
  if (source.format === ImageFormat.PACKS) {
    return { ...facts, format: "packs", files: parseImageFiles(name, source, facts) };
  }
  const format = FORMATS.get(source.format);
  if (format === undefined) {
    throw new HpsError("unimplemented", `this agent does not know the format of the image ${name}`, {
      hint: "boot the installer that belongs to the server",
    });
  }
  if (source.file === undefined) throw nowhere(name);
  return { ...facts, format, file: parseFileSource(source.file, `the image ${name}`) };
}

function nowhere(name: ImageRef): HpsError {
  return new HpsError("precondition", `hpsd names the image ${name} but not where it is`, {
    hint: "import it again: hpsctl image import",
  });
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
