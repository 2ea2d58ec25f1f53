import type { Server } from "node:http";
import { isIP } from "node:net";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import type { ServerConfig } from "../../proto/config/server-config.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createBootDoor } from "../boot/boot-door.ts";
import { fileUrl } from "../boot/boot-files.ts";
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
import { type NoRouter, openNoRouter } from "../services/no-router.ts";
import type { ServiceState } from "../services/supervise.ts";
import { fillTftpRoot } from "../services/tftp-root.ts";
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
/** A lease told of later is one repeated from dnsmasq's memory. */
const JUST_NOW_MS = 5_000;

/** The boot network: dnsmasq by the hosts as they are, its leases to the gate, and the door that answers machines. */
export async function serveBoot(options: ServeBootOptions): Promise<RunningBoot> {
  const { core, config, boot, log } = options;
  const bootUrl = bootUrlOf(boot);
  const server = createBootDoor({
    routes: bootRoutes({
      ...{ gate: core.gate.boot, claims: core.gate.claims, fileGate: core.gate.files, beacons: core.gate.beacons },
      neighbourOf: neighbourReader(boot.network),
      bootUrl,
      fileOf: (name, digest) => core.installers.file(name, digest === "" ? undefined : digest)?.path,
      kernelArguments: [...boot.consoles.map((name) => `console=${name}`), ...boot.kernelArguments],
    }),
    onError: (path, error) => {
      const incident = newIncident();
      log.error({ err: error, path, incident }, "boot request failed");
      return incident;
    },
  });
  await listening(server, boot);
  await fillTftpRoot(tftpRoot(config), tftpSources(core));
  const planner = new Planner(options);
  const noRouter = noRouterOn(boot, log);
  const dnsmasq = await startDnsmasq({
    plan: await planner.plan(await dhcpPlan(core.store)),
    stateDir: stateOfDnsmasq(config),
    onLease: (event) => {
      tellGate(core, event);
      if (event.kind !== "del" && Date.now() - event.seenAt < JUST_NOW_MS) noRouter?.tell();
    },
    onState: (state) => tellState(log, state),
    log: (line) => log.debug({ line }, "dnsmasq"),
  }).catch(async (error: unknown) => {
    noRouter?.close();
    server.close();
    throw error;
  });
  const stopping = new AbortController();
  const following = Promise.all([planner.follow(dnsmasq, stopping.signal), followInstallers(options, stopping.signal)]);
  return {
    components: () => [{ name: "boot", health: "ok", reason: "" }, planner.status(dnsmasq)],
    stop: async () => {
      stopping.abort();
      await following;
      await dnsmasq.stop();
      noRouter?.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const bootUrlOf = ({ address, port }: BootConfig) => `http://${address}:${port}`;
/** dnsmasq's account passes through here, and may see nothing of hpsd's own folder. */
const stateOfDnsmasq = ({ state }: ServerConfig) => `${state}-dnsmasq`;
const tftpRoot = (config: ServerConfig) => `${stateOfDnsmasq(config)}/tftp`;

/** What firmware fetches by TFTP, of the installer that machines boot now. */
function tftpSources({ installers }: Core) {
  const names = ["undionly.kpxe", "ipxe.efi"] as const;
  return Object.fromEntries(names.map((name) => [name, installers.file(name)?.path]));
}

/** Each installer that becomes the current one brings its own iPXE. Ends at `signal`. */
async function followInstallers({ core, config, log }: ServeBootOptions, signal: AbortSignal): Promise<void> {
  const { changed } = core.installers;
  let seen = 0; // of what came before, one fill too many
  while (!signal.aborted) {
    await changed.next(seen, signal);
    seen = changed.count;
    await fillTftpRoot(tftpRoot(config), tftpSources(core)).catch((error: unknown) =>
      log.error({ err: error }, "the TFTP root keeps the iPXE of an earlier installer"),
    );
  }
}

/** Where it cannot be had, machines boot all the same, 16 seconds later. */
function noRouterOn(boot: BootConfig, log: Log): NoRouter | undefined {
  try {
    return openNoRouter(boot.interface, (error) => log.debug({ err: error }, "telling that there is no IPv6 router"));
  } catch (error) {
    log.warn({ err: error }, "machines will wait 16 s for an IPv6 router at each boot");
    return undefined;
  }
}

/** That it ended, and why, is for the operator; the rest is how it should be. */
function tellState(log: Log, state: ServiceState): void {
  if ("reason" in state) log.error({ state }, "dnsmasq ended");
  else log.info({ state }, "dnsmasq");
}

/** What dnsmasq is to do, anew after each change of a host. */
class Planner {
  readonly #options: ServeBootOptions;
  #problems: readonly string[] = [];

  constructor(options: ServeBootOptions) {
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
