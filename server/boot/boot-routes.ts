import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { formatClaim } from "../../proto/config/claim.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type IpAddress, parseIpAddress } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { BootDecision } from "../core/gate/boot-decision.ts";
import type { BootGate } from "../core/gate/boot-gate.ts";
import type { ClaimGate } from "../core/gate/claim-gate.ts";
import type { Neighbour } from "../core/gate/sender.ts";
import type { BootAnswer, BootRequest, BootRoute } from "./boot-door.ts";
import { claimArchive } from "./claim-archive.ts";
import { firstContactScript, installScript, localDiskScript, waitScript } from "./ipxe-script.ts";

export interface BootRoutesOptions {
  readonly gate: Pick<BootGate, "boot" | "admitFile">;
  readonly claims: Pick<ClaimGate, "fetch">;
  /** What the neighbour table says of an address; `elsewhere` when it is not on the boot link. */
  readonly neighbourOf: (address: IpAddress) => Promise<Neighbour>;
  /** `http://10.0.0.1:7080`: what machines are told to ask. */
  readonly bootUrl: string;
  /** Folder of the files below; what an operator built. */
  readonly files: string;
  readonly kernelArguments: readonly string[];
}

/** What may be fetched: the installer's kernel and initramfs, and the boot loader that finds a host's own disk. */
const FILES = ["kernel", "initrd.img", "grub.efi"] as const;
const FIRST_CONTACT_WAIT = 15;

/** The boot door's addresses, all below `/boot/v1/`. */
export function bootRoutes(options: BootRoutesOptions): Readonly<Record<string, BootRoute>> {
  const ask = (request: BootRequest) => bootScript(options, request);
  return {
    "/boot/v1/ipxe": ask,
    "/boot/v1/first-contact": ask,
    "/boot/v1/claims/": (request) => claim(options, request),
    "/boot/v1/files/": (request) => sendFile(options, request),
  };
}

async function bootScript(options: BootRoutesOptions, { address: text, query }: BootRequest): Promise<BootAnswer> {
  const address = parseIpAddress(text);
  const mac = parseMac(query.get("mac") ?? "");
  const inventory = new Map([...query].filter(([name]) => name !== "mac"));
  const neighbour = await options.neighbourOf(address);
  const decision = await options.gate.boot({ mac, address, neighbour, inventory });
  return { type: "text/plain; charset=utf-8", body: scriptOf(decision, options) };
}

function scriptOf(decision: BootDecision, { bootUrl, kernelArguments }: BootRoutesOptions): string {
  const fileUrl = (name: (typeof FILES)[number]) => `${bootUrl}/boot/v1/files/${name}`;
  switch (decision.kind) {
    case "install":
      return installScript({
        bootUrl,
        hostName: decision.hostName,
        installation: decision.installationId,
        kernelUrl: fileUrl("kernel"),
        initrdUrl: fileUrl("initrd.img"),
        claimUrl: `${bootUrl}/boot/v1/claims/${decision.claimId}`,
        kernelArguments,
      });
    case "local-disk":
      return localDiskScript({ grubUrl: fileUrl("grub.efi"), hostName: decision.hostName });
    case "wait":
      return waitScript({
        bootUrl,
        reason: `${decision.hostName} is being installed already`,
        waitSeconds: decision.seconds,
      });
    case "first-contact":
      return firstContactScript({ bootUrl, waitSeconds: FIRST_CONTACT_WAIT });
  }
}

async function claim(
  { claims, neighbourOf }: BootRoutesOptions,
  { address: text, rest }: BootRequest,
): Promise<BootAnswer> {
  const address = parseIpAddress(text);
  const fetched = await claims.fetch({ claimId: parseUuid(rest), address, neighbour: await neighbourOf(address) });
  return { type: "application/octet-stream", body: claimArchive(Buffer.from(formatClaim(fetched))) };
}

async function sendFile(
  options: BootRoutesOptions,
  { address: text, rest, response }: BootRequest,
): Promise<undefined> {
  const name = FILES.find((candidate) => candidate === rest);
  if (name === undefined) throw new HpsError("not-found", "the boot door has no such file");
  const address = parseIpAddress(text);
  await options.gate.admitFile(name, address, await options.neighbourOf(address));
  await using file = await opened(join(options.files, name), name);
  const { size } = await file.stat();
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
  if (size === 0) response.end();
  // What the file grows by meanwhile is not sent.
  else await pipeline(file.createReadStream({ end: size - 1, autoClose: false }), response);
}

async function opened(path: string, name: string): Promise<FileHandle> {
  return await open(path).catch((cause: unknown) => {
    throw new HpsError("not-found", `hpsd has no ${name} to boot`, {
      cause,
      hint: "build the installer and put it in place",
    });
  });
}
