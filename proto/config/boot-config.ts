import { z } from "zod";
import { parsePort } from "../values/endpoint.ts";
import { parseInterfaceName } from "../values/interface-name.ts";
import { parseIpv4 } from "../values/ip-address.ts";
import { hostRange, networkContains, parseIpv4Network, rangeContains, rangeSize } from "../values/ipv4-network.ts";
import { parseKernelConsole, parseKernelWord } from "../values/kernel-word.ts";
import { textOf } from "../values/parsed.ts";
import { durationBetween, listOf } from "./scalars.ts";

/** The boot door: one interface on which hpsd drives dnsmasq and serves boot scripts. Off when the section is left out. */
export const bootSchema = z
  .strictObject({
    interface: textOf(parseInterfaceName),
    /** hpsd's own address on the interface: what machines are told to ask. */
    address: textOf(parseIpv4),
    /** `dhcp`: hpsd gives the addresses; `proxy`: another server does, hpsd only answers PXE. */
    mode: z.enum(["dhcp", "proxy"]),
    network: textOf(parseIpv4Network),
    range: z.strictObject({ from: textOf(parseIpv4), to: textOf(parseIpv4) }).optional(),
    gateway: textOf(parseIpv4).optional(),
    nameServers: listOf(textOf(parseIpv4), 4).prefault([]),
    /** dnsmasq knows nothing shorter than two minutes. */
    leaseTime: durationBetween("2m", "30d").prefault("1h"),
    /** Scripts, kernel, initramfs and claims by HTTP. */
    port: textOf(parsePort).prefault("7080"),
    /** How long after its DHCP boot an unknown machine may make first contact. */
    window: durationBetween("10s", "1d").prefault("10m"),
    /** Where the installer's kernel speaks, and the installed system's after it; the last that the machine has is its main one. */
    consoles: listOf(textOf(parseKernelConsole), 4).prefault(["tty0", "ttyS0,115200n8"]),
    /** More words for the installer's kernel. */
    kernelArguments: listOf(textOf(parseKernelWord), 16).prefault([]),
  })
  .superRefine((boot, context) => {
    for (const { path, message } of problemsOf(boot)) context.addIssue({ code: "custom", path, message });
  });

export type BootConfig = z.output<typeof bootSchema>;

interface Problem {
  readonly path: string[];
  readonly message: string;
}

type Addresses = Pick<BootConfig, "address" | "network" | "mode" | "range" | "gateway">;

/** What each field alone cannot say: whether the addresses go together. */
function problemsOf(boot: Addresses): Problem[] {
  const hosts = hostRange(boot.network);
  const outside = (path: string[], address: Addresses["address"] | undefined): Problem[] =>
    address === undefined || rangeContains(hosts, address)
      ? []
      : [{ path, message: `${address} is not a host's address in ${boot.network}` }];
  return [
    ...outside(["address"], boot.address),
    ...outside(["gateway"], boot.gateway),
    ...outside(["range", "from"], boot.range?.from),
    ...outside(["range", "to"], boot.range?.to),
    ...rangeProblems(boot),
  ];
}

function rangeProblems({ mode, range, address, network }: Addresses): Problem[] {
  const path = ["range"];
  if (mode === "proxy")
    return range === undefined ? [] : [{ path, message: "in proxy mode another server gives the addresses" }];
  if (range === undefined) return [{ path, message: "mode dhcp needs the addresses to give: from and to" }];
  if (rangeSize(range) === 0) return [{ path, message: "runs backwards" }];
  if (networkContains(network, address) && rangeContains(range, address)) {
    return [{ path, message: `holds hpsd's own address ${address}` }];
  }
  return [];
}
