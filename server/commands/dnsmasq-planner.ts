import { isIP } from "node:net";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { formatTime } from "../../proto/values/time.ts";
import { fileUrl } from "../boot/boot-files.ts";
import { askUrl } from "../boot/ipxe-script.ts";
import type { Core } from "../core/core.ts";
import { type DhcpHost, watchDhcpPlan } from "../core/hosts/host-plan.ts";
import type { ComponentStatus } from "../core/system/status.ts";
import type { DnsmasqPlan } from "../services/dnsmasq/dnsmasq-plan.ts";
import { plannedHosts } from "../services/dnsmasq/planned-hosts.ts";
import type { Dnsmasq } from "../services/dnsmasq/start-dnsmasq.ts";
import type { Log } from "./log.ts";

export interface PlannerOptions {
  readonly core: Core;
  readonly config: ServerConfig;
  readonly boot: BootConfig;
  readonly log: Log;
  readonly isRoot: boolean;
}

/** dnsmasq knows no shorter lease; strangers keep an address no longer than they need to make first contact. */
const STRANGER_LEASE_SECONDS = 120;
/** For how long an end that was mended is still told. */
const LATELY_MS = 600_000;

export const bootUrlOf = ({ address, port }: BootConfig) => `http://${address}:${port}`;
/** dnsmasq's account passes through here, and may see nothing of hpsd's own folder. */
export const stateOfDnsmasq = ({ state }: ServerConfig) => `${state}-dnsmasq`;
export const tftpRoot = (config: ServerConfig) => `${stateOfDnsmasq(config)}/tftp`;

/** What dnsmasq is to do, anew after each change of a host. */
export class DnsmasqPlanner {
  readonly #options: PlannerOptions;
  #problems: readonly string[] = [];

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  async plan(hosts: readonly DhcpHost[]): Promise<DnsmasqPlan> {
    const { boot, config, isRoot, log } = this.#options;
    const bootUrl = bootUrlOf(boot);
    const link = { network: boot.network, serverAddress: boot.address, ...(boot.range && { range: boot.range }) };
    const planned = plannedHosts(hosts, link);
    this.#problems = planned.problems;
    for (const problem of planned.problems) log.warn(problem);
    return {
      interface: boot.interface,
      serverAddress: boot.address,
      network: boot.network,
      dhcp: dhcpOf(boot),
      dns: {
        upstream: boot.nameServers.filter((address) => address !== boot.address),
        // Claims name hpsd by these, and a machine has nobody else to ask.
        serverNames: config.server.names.filter((name) => isIP(name) === 0).map(parseDomainName),
      },
      tftpRoot: tftpRoot(config),
      ipxeUrl: askUrl(bootUrl),
      httpBootUrl: fileUrl(bootUrl, "ipxe.efi"),
      hosts: planned.hosts,
      ...(isRoot && { user: "nobody" }),
    };
  }

  /** Ends at `signal`. A plan that dnsmasq does not take leaves it with the one before. */
  async follow(dnsmasq: Dnsmasq, signal: AbortSignal): Promise<void> {
    for await (const hosts of watchDhcpPlan(this.#options.core, signal)) {
      try {
        await dnsmasq.update(await this.plan(hosts));
      } catch (error) {
        this.#problems = [...this.#problems, error instanceof HpsError ? error.message : "dnsmasq takes no new plan"];
        this.#options.log.error({ err: error }, "dnsmasq keeps its old plan");
      }
    }
  }

  status(dnsmasq: Dnsmasq): ComponentStatus {
    const state = dnsmasq.state();
    const ended = "reason" in state ? state.reason : endedLately(dnsmasq);
    const reason = [ended, ...this.#problems].filter((text) => text !== "").join("; ");
    if (state.status === "failed" || state.status === "stopped") return { name: "dnsmasq", health: "failed", reason };
    return { name: "dnsmasq", health: state.status === "running" && reason === "" ? "ok" : "degraded", reason };
  }
}

/** That it runs again is no reason to say nothing: whoever looks a little later learns that it ended, and why. */
function endedLately(dnsmasq: Dnsmasq): string {
  const end = dnsmasq.lastEnd();
  if (end === undefined || end.at + LATELY_MS < Date.now()) return "";
  return `it was started again after ${formatTime(end.at)}: ${end.reason}`;
}

function dhcpOf({ mode, range, gateway, nameServers, leaseTime }: BootConfig): DnsmasqPlan["dhcp"] {
  if (mode === "proxy") return { mode };
  return {
    mode: "server",
    hostLeaseSeconds: Math.floor(leaseTime / 1000),
    unknown: range === undefined ? "ignore" : "lease",
    ...(range && { range: { ...range, leaseSeconds: STRANGER_LEASE_SECONDS } }),
    ...(gateway && { router: gateway }),
    ...(nameServers.length > 0 && { dnsServers: nameServers }),
  };
}
