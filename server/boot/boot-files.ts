import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { withEspVolume } from "../../proto/config/local-boot.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { InstallerFileName } from "../../proto/values/installer-file.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { espVolumeId } from "../../proto/values/layout-ids.ts";
import type { FileAsk, FileGate } from "../core/gate/file-gate.ts";
import type { Neighbour } from "../core/gate/sender.ts";
import type { BootRequest } from "./boot-door.ts";

export interface BootFilesOptions {
  readonly fileGate: Pick<FileGate, "admit" | "admitFirst" | "diskOf">;
  /** What the neighbour table says of an address; `elsewhere` when it is not on the boot link. */
  readonly neighbourOf: (address: IpAddress) => Promise<Neighbour>;
  /** Where a file lies of the installer with this digest, of the current one for an empty digest; undefined when it has none of that name. */
  readonly fileOf: (name: InstallerFileName, digest: string) => string | undefined;
}

/** What may be fetched here. The tools go over HTTPS, and a BIOS has its iPXE by TFTP. */
const FILES = ["kernel", "initrd.img", "firmware.img", "grub.efi", "ipxe.efi"] as const;
/** Firmware asks for nothing that is not called so or ends in `.efi`. */
const EFI_TYPE = "application/efi";
const MOST_GRUB_BYTES = 16 * 1024 * 1024;

/** Where a machine fetches a file. */
export function fileUrl(bootUrl: string, name: (typeof FILES)[number]): string {
  return `${bootUrl}/boot/v1/files/${name}`;
}

/** One file to a machine that may have it: all of it, or its length alone (HEAD). */
export async function sendFile(options: BootFilesOptions, request: BootRequest): Promise<undefined> {
  const name = FILES.find((candidate) => candidate === request.rest);
  if (name === undefined) throw new HpsError("not-found", "the boot door has no such file");
  const address = parseIpAddress(request.address);
  const ask: FileAsk = { file: name, address, neighbour: await options.neighbourOf(address) };
  if (name === "grub.efi") return await sendLocalBoot(options, ask, request);
  await using file = await opened(options, name, await admitted(options, ask, name));
  const { size } = await file.stat();
  begin(request, name, size);
  if (request.method === "HEAD" || size === 0) request.response.end();
  // What the file grows by meanwhile is not sent.
  else await pipeline(file.createReadStream({ end: size - 1, autoClose: false }), request.response);
}

/** The digest of the installer that it is a file of: kernel and archives of one boot belong together. */
async function admitted({ fileGate }: BootFilesOptions, ask: FileAsk, name: InstallerFileName): Promise<string> {
  if (name !== "ipxe.efi") return await fileGate.admit(ask);
  await fileGate.admitFirst(ask);
  return "";
}

/** The boot loader that finds a disk, made for the disk of the host that asks. */
async function sendLocalBoot(options: BootFilesOptions, ask: FileAsk, request: BootRequest): Promise<undefined> {
  const volume = espVolumeId(await options.fileGate.diskOf(ask));
  await using file = await opened(options, "grub.efi", "");
  if ((await file.stat()).size > MOST_GRUB_BYTES) throw new HpsError("data-loss", "grub.efi is far too long");
  const image = withEspVolume(await file.readFile(), volume);
  begin(request, "grub.efi", image.length);
  request.response.end(request.method === "HEAD" ? undefined : image);
}

function begin({ response }: BootRequest, name: InstallerFileName, size: number): void {
  const type = name.endsWith(".efi") ? EFI_TYPE : "application/octet-stream";
  response.writeHead(200, { "content-type": type, "cache-control": "no-store", "content-length": size });
}

async function opened({ fileOf }: BootFilesOptions, name: InstallerFileName, digest: string): Promise<FileHandle> {
  const path = fileOf(name, digest);
  const missing = (cause?: unknown) =>
    new HpsError("not-found", `hpsd has no ${name} to boot`, {
      cause,
      hint: "hpsctl installer-image import brings an installer",
    });
  if (path === undefined) throw missing();
  return await open(path).catch((cause: unknown) => {
    throw missing(cause);
  });
}
