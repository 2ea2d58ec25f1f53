import { networkInterfaces } from "node:os";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { dnsmasqVersion } from "../services/dnsmasq/dnsmasq-version.ts";
import { type Finding, listenFinding } from "./finding.ts";

/** What the boot network needs; nothing where the configuration has none. */
export async function bootFindings({ boot }: ServerConfig): Promise<readonly Finding[]> {
  if (boot === undefined) return [];
  const link = interfaceFinding(boot);
  const { address, port } = boot;
  return [
    link,
    // An address that is not there cannot be listened on, which is said already.
    ...(link.problem === undefined
      ? [await listenFinding(`boot address ${address}:${port}`, { host: address, port })]
      : []),
    await dnsmasqFinding(),
    httpBootFinding(boot),
  ];
}

function interfaceFinding({ interface: name, address }: BootConfig): Finding {
  const what = `boot interface ${name}`;
  const found = networkInterfaces()[name];
  if (found === undefined) return { what, problem: "there is no such interface, or it has no address" };
  const has = found.some((one) => one.address === address);
  return has ? { what } : { what, problem: `it does not have the address ${address}` };
}

async function dnsmasqFinding(): Promise<Finding> {
  try {
    return { what: `dnsmasq ${await dnsmasqVersion()}` };
  } catch (error) {
    if (!(error instanceof HpsError)) throw error;
    return { what: "dnsmasq", problem: error.message, hint: error.hint };
  }
}

function httpBootFinding({ mode }: BootConfig): Finding {
  if (mode === "dhcp") return { what: "firmware: BIOS and UEFI by PXE, UEFI by HTTP" };
  return {
    what: "firmware: BIOS and UEFI by PXE",
    note: "UEFI's HTTP boot needs mode dhcp: beside another DHCP server set such machines to PXE",
  };
}
