import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must, run } from "./run.ts";

/** What the client says. Values of `options` are hex without separators, keys are option numbers. */
export interface DhcpOptions {
  readonly hostname?: string;
  readonly vendorClass?: string;
  /** Option 61 as hex, hardware type first; `none` sends none; udhcpc's own (01 and the MAC) when absent. */
  readonly clientId?: string;
  readonly requestAddress?: string;
  readonly options?: Readonly<Record<number, string>>;
  /** Options to ask for beside udhcpc's usual ones. */
  readonly ask?: readonly number[];
  /** How many DISCOVERs, one a second, before it gives up. */
  readonly tries?: number;
}

interface DhcpLease {
  readonly address: string;
  readonly mask: string;
  readonly server: string;
  readonly seconds: number;
  readonly bootFile: string;
  readonly nextServer: string;
  readonly hostname: string;
  readonly domain: string;
  readonly routers: readonly string[];
  readonly dns: readonly string[];
  /** All that udhcpc handed to its script. */
  readonly raw: Readonly<Record<string, string>>;
}

export type DhcpResult =
  | { readonly bound: true; readonly lease: DhcpLease }
  | { readonly bound: false; readonly log: string };

const SCRIPT = `#!/bin/sh
case $1 in
bound|renew)
  env -0 > "$HPS_LEASE.part"
  ip addr flush dev "$interface" scope global
  ip addr add "$ip/\${mask:-24}" dev "$interface"
  if [ -n "$router" ]; then ip route replace default via "\${router%% *}"; fi
  mv "$HPS_LEASE.part" "$HPS_LEASE";;
esac
`;

/** What a PXE ROM sends: RFC 4578 architecture (0 BIOS, 7 UEFI x64), UNDI version, machine UUID. */
export function pxeClient(architecture: number): DhcpOptions {
  const arch = architecture.toString(16).padStart(4, "0");
  return {
    vendorClass: `PXEClient:Arch:${String(architecture).padStart(5, "0")}:UNDI:003016`,
    options: { 93: arch, 94: "010310", 97: `00${"ab".repeat(16)}` },
    ask: [60, 66, 67],
  };
}

/** What iPXE sends on top: user class and its encapsulated options (a feature: HTTP). */
export function ipxeClient(architecture: number): DhcpOptions {
  const rom = pxeClient(architecture);
  return { ...rom, options: { ...rom.options, 77: Buffer.from("iPXE").toString("hex"), 175: "130101" } };
}

function clientArguments(options: DhcpOptions): readonly string[] {
  const args = ["-f", "-q", "-n", "-i", "eth0", "-T", "1", "-t", String(options.tries ?? 5)];
  if (options.hostname !== undefined) args.push("-x", `hostname:${options.hostname}`);
  if (options.vendorClass !== undefined) args.push("-V", options.vendorClass);
  if (options.clientId === "none") args.push("-C");
  else if (options.clientId !== undefined) args.push("-x", `0x3d:${options.clientId}`);
  if (options.requestAddress !== undefined) args.push("-r", options.requestAddress);
  for (const [code, hex] of Object.entries(options.options ?? {}))
    args.push("-x", `0x${Number(code).toString(16)}:${hex}`);
  for (const code of options.ask ?? []) args.push("-O", String(code));
  return args;
}

/** Runs udhcpc once in the namespace. Not being given a lease is a result, not an error. */
export async function runDhcpClient(ns: string, options: DhcpOptions = {}): Promise<DhcpResult> {
  const folder = await mkdtemp(join(tmpdir(), "hps-dhcp-"));
  try {
    const script = join(folder, "script");
    const lease = join(folder, "lease");
    await writeFile(script, SCRIPT);
    await chmod(script, 0o755);
    await must(["ip", "-n", ns, "addr", "flush", "dev", "eth0", "scope", "global"]);
    const argv = ["udhcpc", ...clientArguments(options), "-s", script];
    const done = await run(argv, { ns, env: { HPS_LEASE: lease }, timeoutMs: 60_000 });
    if (done.code !== 0) return { bound: false, log: done.stderr };
    return { bound: true, lease: parseLease(await readFile(lease, "latin1")) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function parseLease(environment: string): DhcpLease {
  const raw = Object.fromEntries(
    environment
      .split("\0")
      .filter((line) => /^[a-z][a-z0-9_]*=/.test(line))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const words = (name: string) => (raw[name] ?? "").split(" ").filter((word) => word !== "");
  return {
    address: raw.ip ?? "",
    mask: raw.subnet ?? "",
    server: raw.serverid ?? "",
    seconds: Number(raw.lease ?? 0),
    bootFile: raw.boot_file || raw.bootfile || "",
    nextServer: raw.siaddr ?? "",
    hostname: raw.hostname ?? "",
    domain: raw.domain ?? "",
    routers: words("router"),
    dns: words("dns"),
    raw,
  };
}
