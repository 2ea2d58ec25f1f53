import { ipxeText, ipxeWord } from "./ipxe-text.ts";

// iPXE scripts (https://ipxe.org/scripting). Every value comes from our store or configuration, through `ipxeText` or `ipxeWord`;
// what a dollar and braces name is iPXE's own and is put in by iPXE. Nothing of a request ever enters a script.

/** What iPXE asks for its script: the NIC that it booted from is `netX`. Also what DHCP names, so at most 127 bytes. */
export function askUrl(bootUrl: string): string {
  return `${ipxeWord(bootUrl)}/boot/v1/ipxe?mac=\${netX/mac}`;
}

/** First contact: iPXE's own words about the machine, made fit for a URL by iPXE; unauthenticated, for the server to bound. */
export function firstContactUrl(bootUrl: string): string {
  const inventory = ["manufacturer", "product", "serial", "asset"].map((name) => `${name}=\${${name}:uristring}`);
  // A UUID as `uristring` would be its raw bytes, and the URL would end at a zero among them (seen under QEMU).
  const more = ["uuid", "platform", "buildarch"].map((name) => `${name}=\${${name}}`);
  return `${ipxeWord(bootUrl)}/boot/v1/first-contact?mac=\${netX/mac}&${[...inventory, ...more].join("&")}`;
}

const script = (lines: readonly string[]) => `${["#!ipxe", ...lines].join("\n")}\n`;

/**
 * Waits, then asks for the script anew, for as long as it takes. iPXE renews no lease by itself, and a stranger's is short: each time it
 * asks DHCP before, which also gives a machine that was let in meanwhile the address that is its own. An exchange that fails closes the
 * card, and then `netX` is none: any card that answers will do.
 */
function askAgain(url: string, seconds: number): readonly string[] {
  return [
    ":again",
    `sleep ${Math.trunc(seconds)}`,
    "ifconf --configurator dhcp netX || ifconf --configurator dhcp || goto again",
    `chain --replace --autofree ${url} || goto again`,
  ];
}

/** One archive that the kernel unpacks, in order. */
interface InitialArchive {
  /** What iPXE calls it, and the kernel's line too. */
  readonly name: string;
  readonly url: string;
}

export interface InstallScript {
  readonly bootUrl: string;
  readonly hostName: string;
  readonly installation: string;
  readonly kernelUrl: string;
  /** All but the claim. */
  readonly archives: readonly InitialArchive[];
  /** Gives the claim once; names no secret. */
  readonly claimUrl: string;
  readonly kernelArguments: readonly string[];
}

/**
 * Boots the installer with its claim as the last archive. Each is named on the kernel's line too: under UEFI the kernel's own stub
 * fetches them by name. A fetch that fails starts over with a new question, for the claim is given once.
 */
export function installScript(options: InstallScript): string {
  const archives = [...options.archives, { name: "claim.img", url: options.claimUrl }];
  const names = archives.map(({ name }) => `initrd=${ipxeWord(name)}`);
  const line = [ipxeWord(options.kernelUrl), ...names, ...options.kernelArguments.map(ipxeWord)].join(" ");
  return script([
    `echo HPS: installing ${ipxeText(options.hostName)}, installation ${ipxeText(options.installation)}`,
    "imgfree",
    `kernel ${line} || goto failed`,
    ...archives.map(({ name, url }) => `initrd --name ${ipxeWord(name)} ${ipxeWord(url)} || goto failed`),
    "boot || goto failed",
    ":failed",
    "echo HPS: the installer could not be fetched, asking again",
    "imgfree",
    ...askAgain(askUrl(options.bootUrl), 10),
  ]);
}

/**
 * Boots what is installed: a BIOS goes on to the next device, UEFI chains a GRUB of ours that finds this host's ESP. What that returns
 * from is for the firmware to go on with, however slow it is at that: it may know the disk although GRUB did not see it.
 */
export function localDiskScript({ grubUrl, hostName }: { grubUrl: string; hostName: string }): string {
  return script([
    `echo HPS: ${ipxeText(hostName)} boots its disk`,
    `iseq \${platform} efi && goto efi ||`,
    "exit 1",
    ":efi",
    `chain --autofree ${ipxeWord(grubUrl)} ||`,
    "echo HPS: the disk was not booted from here, the firmware tries what is next in its boot order",
    "sleep 5",
    "exit 1",
  ]);
}

/** An unknown machine that we gave an address: shows what an operator needs to know it by, tells its inventory, waits for approval. */
export function firstContactScript({ bootUrl, waitSeconds }: { bootUrl: string; waitSeconds: number }): string {
  return script([
    "echo",
    "echo HPS does not know this machine. To let it in, an operator adds a host with this address:",
    `echo MAC \${netX/mac} IP \${netX/ip}`,
    "echo It asks again until then.",
    ...askAgain(firstContactUrl(bootUrl), waitSeconds),
  ]);
}

/** The host's installation is in other hands still: wait and ask again. */
export function waitScript({
  bootUrl,
  reason,
  waitSeconds,
}: {
  bootUrl: string;
  reason: string;
  waitSeconds: number;
}): string {
  return script([`echo HPS: ${ipxeText(reason)}. Asking again.`, ...askAgain(askUrl(bootUrl), waitSeconds)]);
}

/** Sent with status 200, for iPXE drops the body of an error. Long enough on the screen to be read, then on to the next device. */
export function refusalScript({ reason, incident }: { reason: string; incident: string }): string {
  return script([
    "echo",
    `echo HPS refused this machine: ${ipxeText(reason)}`,
    `echo Incident ${ipxeText(incident)}`,
    "sleep 30",
    "exit 1",
  ]);
}
