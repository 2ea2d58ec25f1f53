import {
  BEACON_LIMIT,
  BEACON_PATH,
  BOOT_MAC_ARGUMENT,
  BOOT_URL_ARGUMENT,
  parseBeacon,
} from "../../proto/config/beacon.ts";
import { formatClaim } from "../../proto/config/claim.ts";
import { parseIpAddress } from "../../proto/values/ip-address.ts";
import { type Mac, parseMac } from "../../proto/values/mac.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { BeaconGate } from "../core/gate/beacon-gate.ts";
import type { BootDecision } from "../core/gate/boot-decision.ts";
import type { BootGate } from "../core/gate/boot-gate.ts";
import type { ClaimGate } from "../core/gate/claim-gate.ts";
import type { BootAnswer, BootRequest, BootRoute } from "./boot-door.ts";
import { type BootFilesOptions, fileUrl, sendFile } from "./boot-files.ts";
import { claimArchive } from "./claim-archive.ts";
import { firstContactScript, installScript, localDiskScript, waitScript } from "./ipxe-script.ts";

export interface BootRoutesOptions extends BootFilesOptions {
  readonly gate: Pick<BootGate, "boot">;
  readonly claims: Pick<ClaimGate, "fetch">;
  readonly beacons: Pick<BeaconGate, "take">;
  /** `http://10.0.0.1:7080`: what machines are told to ask. */
  readonly bootUrl: string;
  /** Beside what hpsd itself tells the installer. */
  readonly kernelArguments: readonly string[];
}

const FIRST_CONTACT_WAIT = 15;

/** The boot door's addresses, all below `/boot/v1/`. */
export function bootRoutes(options: BootRoutesOptions): Readonly<Record<string, BootRoute>> {
  const script: BootRoute = { methods: ["GET"], serve: (request) => bootScript(options, request) };
  return {
    "/boot/v1/ipxe": script,
    "/boot/v1/first-contact": script,
    // Not HEAD: a claim is given once, and asking for its headers would be that once.
    "/boot/v1/claims/": { methods: ["GET"], loaded: true, serve: (request) => claim(options, request) },
    // HEAD is what UEFI's HTTP boot asks first: how long the file is.
    "/boot/v1/files/": { methods: ["GET", "HEAD"], loaded: true, serve: (request) => sendFile(options, request) },
    [BEACON_PATH]: { methods: ["POST"], serve: (request) => takeBeacon(options, request) },
  };
}

async function bootScript(options: BootRoutesOptions, { address: text, query }: BootRequest): Promise<BootAnswer> {
  const address = parseIpAddress(text);
  const mac = parseMac(query.get("mac") ?? "");
  const inventory = new Map([...query].filter(([name]) => name !== "mac"));
  const neighbour = await options.neighbourOf(address);
  const decision = await options.gate.boot({ mac, address, neighbour, inventory });
  return { type: "text/plain; charset=utf-8", body: scriptOf(decision, mac, options) };
}

function scriptOf(decision: BootDecision, mac: Mac, options: BootRoutesOptions): string {
  const { bootUrl } = options;
  switch (decision.kind) {
    case "install":
      return installScriptFor(decision, mac, options);
    case "local-disk":
      return localDiskScript({ grubUrl: fileUrl(bootUrl, "grub.efi"), hostName: decision.hostName });
    case "wait":
      return waitScript({ bootUrl, reason: decision.reason, waitSeconds: decision.seconds });
    case "first-contact":
      return firstContactScript({ bootUrl, waitSeconds: FIRST_CONTACT_WAIT });
  }
}

function installScriptFor(
  { hostName, installationId, claimId, installer }: BootDecision & { readonly kind: "install" },
  mac: Mac,
  { bootUrl, fileOf, kernelArguments }: BootRoutesOptions,
): string {
  const archives = (["initrd.img", "firmware.img"] as const).filter(
    (name) => name === "initrd.img" || fileOf(name, installer) !== undefined,
  );
  return installScript({
    ...{ bootUrl, hostName, installation: installationId },
    kernelUrl: fileUrl(bootUrl, "kernel"),
    archives: archives.map((name) => ({ name, url: fileUrl(bootUrl, name) })),
    claimUrl: `${bootUrl}/boot/v1/claims/${claimId}`,
    kernelArguments: [`${BOOT_URL_ARGUMENT}=${bootUrl}`, `${BOOT_MAC_ARGUMENT}=${mac}`, ...kernelArguments],
  });
}

async function claim(
  { claims, neighbourOf }: BootRoutesOptions,
  { address: text, rest }: BootRequest,
): Promise<BootAnswer> {
  const address = parseIpAddress(text);
  const fetched = await claims.fetch({ claimId: parseUuid(rest), address, neighbour: await neighbourOf(address) });
  return { type: "application/octet-stream", body: claimArchive(Buffer.from(formatClaim(fetched))) };
}

async function takeBeacon(options: BootRoutesOptions, { address: text, body }: BootRequest): Promise<BootAnswer> {
  const address = parseIpAddress(text);
  const beacon = parseBeacon(await body(BEACON_LIMIT));
  await options.beacons.take({ beacon, address, neighbour: await options.neighbourOf(address) });
  return { status: 202, type: "text/plain; charset=utf-8", body: "noted\n" };
}
