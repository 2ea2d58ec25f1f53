import type { Server } from "node:http";
import { isIP } from "node:net";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createBootDoor } from "../boot/boot-door.ts";
import { bootRoutes } from "../boot/boot-routes.ts";
import { askUrl } from "../boot/ipxe-script.ts";
import { neighbourReader } from "../boot/neighbours.ts";
import { newIncident } from "../core/audit/audit.ts";
import type { Core } from "../core/core.ts";
import { type DhcpHost, dhcpPlan, watchDhcpPlan } from "../core/hosts/host-plan.ts";
import type { ComponentStatus } from "../core/system/status.ts";
import type { DnsmasqPlan } from "../services/dnsmasq/dnsmasq-plan.ts";
import type { LeaseEvent } from "../services/dnsmasq/lease-event.ts";
import { plannedHosts } from "../services/dnsmasq/planned-hosts.ts";
import { type Dnsmasq, startDnsmasq } from "../services/dnsmasq/start-dnsmasq.ts";
import type { Log } from "./log.ts";

export interface ServeBootOptions {
  readonly core: Core;
  readonly config: ServerConfig;
  readonly boot: BootConfig;
  readonly log: Log;
  readonly isRoot: boolean;
}

export interface RunningBoot {
  readonly components: () => readonly ComponentStatus[];
  readonly stop: () => Promise<void>;
}

/** dnsmasq knows no shorter lease; strangers keep an address no longer than they need to make first contact. */
const STRANGER_LEASE_SECONDS = 120;

/** The boot network: dnsmasq by the hosts as they are, its leases to the gate, and the door that answers machines. */
export async function serveBoot(options: ServeBootOptions): Promise<RunningBoot> {
  const { core, config, boot, log } = options;
  const bootUrl = `http://${boot.address}:${boot.port}`;
  const server = createBootDoor({
    routes: bootRoutes({
      gate: core.gate.boot,
      claims: core.gate.claims,
      neighbourOf: neighbourReader(boot.network),
      bootUrl,
      files: `${config.state}/boot`,
      kernelArguments: [],
    }),
    onError: (path, error) => {
      const incident = newIncident();
      log.error({ err: error, path, incident }, "boot request failed");
      return incident;
    },
  });
  await listening(server, boot);
  const planner = new Planner(options, bootUrl);
  const dnsmasq = await startDnsmasq({
    plan: await planner.plan(await dhcpPlan(core.store)),
    stateDir: `${config.state}-dnsmasq`,
    onLease: (event) => tellGate(core, event),
    onState: (state) => log.info({ state }, "dnsmasq"),
    log: (line) => log.debug({ line }, "dnsmasq"),
  }).catch(async (error: unknown) => {
    server.close();
    throw error;
  });
  const stopping = new AbortController();
  const following = planner.follow(dnsmasq, stopping.signal);
  return {
    components: () => [{ name: "boot", health: "ok", reason: "" }, planner.status(dnsmasq)],
    stop: async () => {
      stopping.abort();
      await following;
      await dnsmasq.stop();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What dnsmasq is to do, anew after each change of a host. */
class Planner {
  readonly #options: ServeBootOptions;
  readonly #ipxeUrl: string;
  #problems: readonly string[] = [];

  constructor(options: ServeBootOptions, bootUrl: string) {
    this.#options = options;
    this.#ipxeUrl = askUrl(bootUrl);
  }

  async plan(hosts: readonly DhcpHost[]): Promise<DnsmasqPlan> {
    const { boot, config, isRoot, log } = this.#options;
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
      ...(boot.tftpRoot && { tftpRoot: boot.tftpRoot }),
      ipxeUrl: this.#ipxeUrl,
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
    const reason = ["reason" in state ? state.reason : "", ...this.#problems].filter((text) => text !== "").join("; ");
    if (state.status === "failed" || state.status === "stopped") return { name: "dnsmasq", health: "failed", reason };
    return { name: "dnsmasq", health: state.status === "running" && reason === "" ? "ok" : "degraded", reason };
  }
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

function tellGate({ gate: { leases } }: Core, event: LeaseEvent): void {
  if (event.kind === "pxe") leases.answered(event.mac, event.seenAt);
  else if (event.kind === "del") leases.released(event.address);
  else leases.seen(event);
}

async function listening(server: Server, { address, port }: BootConfig): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new HpsError("unavailable", `cannot listen on ${address} port ${port}`, { cause })),
    );
    server.listen({ host: address, port }, () => resolve());
  });
}
