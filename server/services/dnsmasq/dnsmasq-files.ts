import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { LEASE_SCRIPT } from "./lease-event.ts";
import type { DnsmasqFiles, DnsmasqPaths } from "./render-dnsmasq.ts";

export function pathsIn(folder: string): DnsmasqPaths & { readonly pipe: string } {
  return {
    conf: join(folder, "dnsmasq.conf"),
    dhcpHosts: join(folder, "dhcp-hosts"),
    dhcpOptions: join(folder, "dhcp-options"),
    hosts: join(folder, "hosts"),
    leases: join(folder, "leases"),
    pid: join(folder, "dnsmasq.pid"),
    script: join(folder, "lease-event"),
    pipe: join(folder, "lease-pipe"),
  };
}

/** Makes the folder and the lease script. Throws `precondition` when dnsmasq's account could not read its files there again. */
export async function prepareFolder(folder: string, script: string, user: string | undefined): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await replaceFile(script, LEASE_SCRIPT, 0o755);
  if (user === undefined) return;
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) !== 0) continue;
    throw new HpsError("precondition", `dnsmasq, as user ${user}, cannot enter ${at}`, { hint: `chmod o+x ${at}` });
  }
}

/** Replaces a file as a whole, so that dnsmasq never reads half of one. True when it differs from what was there. */
export async function replaceFile(path: string, text: string, mode = 0o644): Promise<boolean> {
  const before = await readFile(path, "utf8").catch(() => undefined);
  if (before === text) return false;
  await writeFile(`${path}.new`, text);
  await chmod(`${path}.new`, mode); // whatever the umask
  await rename(`${path}.new`, path);
  return true;
}

/**
 * Has dnsmasq itself read everything before any of it is put in use. `--test` does not open the DHCP hosts and options files,
 * so their lines are given to it as lines of a configuration, which are read by the same code.
 */
export async function testFiles(program: string, files: DnsmasqFiles, folder: string): Promise<void> {
  const as = (option: string, text: string) => text.replaceAll(/^(?=.)/gm, `${option}=`);
  const path = join(folder, "test.conf");
  await writeFile(path, files.conf + as("dhcp-host", files.dhcpHosts) + as("dhcp-option", files.dhcpOptions));
  try {
    await promisify(execFile)(program, ["--test", `--conf-file=${path}`], { timeout: 10_000 });
  } catch (cause) {
    throw new HpsError("internal", "dnsmasq refuses its configuration", { cause });
  }
}
