import type { Server } from "node:http";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { createBootDoor } from "../boot/boot-door.ts";
import { bootRoutes } from "../boot/boot-routes.ts";
import { neighbourReader } from "../boot/neighbours.ts";
import { newIncident } from "../core/audit/audit.ts";
import type { Core } from "../core/core.ts";
import { dhcpPlan } from "../core/hosts/host-plan.ts";
import type { ComponentStatus } from "../core/system/status.ts";
import type { LeaseEvent } from "../services/dnsmasq/lease-event.ts";
import { startDnsmasq } from "../services/dnsmasq/start-dnsmasq.ts";
import type { SentFile } from "../services/dnsmasq/tftp-line.ts";
import { type NoRouter, openNoRouter } from "../services/no-router.ts";
import type { ServiceState } from "../services/supervise.ts";
import { fillTftpRoot } from "../services/tftp-root.ts";
import { bootUrlOf, DnsmasqPlanner, type PlannerOptions, stateOfDnsmasq, tftpRoot } from "./dnsmasq-planner.ts";
import type { Log } from "./log.ts";

export interface RunningBoot {
  readonly components: () => readonly ComponentStatus[];
  readonly stop: () => Promise<void>;
}

/** A lease told of later is one repeated from dnsmasq's memory. */
const JUST_NOW_MS = 5_000;

/** The boot network: dnsmasq by the hosts as they are, its leases to the gate, and the door that answers machines. */
export async function serveBoot(options: PlannerOptions): Promise<RunningBoot> {
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
    onAnswer: (path, status) => log.debug({ path, status }, "boot request"),
    onError: (path, error) => {
      const incident = newIncident();
      log.error({ err: error, path, incident }, "boot request failed");
      return incident;
    },
  });
  await listening(server, boot);
  await fillTftpRoot(tftpRoot(config), tftpSources(core));
  const planner = new DnsmasqPlanner(options);
  const noRouter = noRouterOn(boot, log);
  const dnsmasq = await startDnsmasq({
    plan: await planner.plan(await dhcpPlan(core.store)),
    stateDir: stateOfDnsmasq(config),
    ...hearing(options, noRouter),
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

/** Whom what dnsmasq says is for. */
function hearing({ core, log }: PlannerOptions, noRouter: NoRouter | undefined) {
  return {
    onLease: (event: LeaseEvent) => {
      tellGate(core, event);
      if (event.kind !== "del" && Date.now() - event.seenAt < JUST_NOW_MS) noRouter?.tell();
    },
    onSent: ({ file, address }: SentFile) => core.gate.loaders.sent(file, address),
    onState: (state: ServiceState) => tellState(log, state),
    log: (line: string) => log.debug({ line }, "dnsmasq"),
  };
}

/** What firmware fetches by TFTP, of the installer that machines boot now. */
function tftpSources({ installers }: Core) {
  const names = ["undionly.kpxe", "ipxe.efi"] as const;
  return Object.fromEntries(names.map((name) => [name, installers.file(name)?.path]));
}

/** Each installer that becomes the current one brings its own iPXE. Ends at `signal`. */
async function followInstallers({ core, config, log }: PlannerOptions, signal: AbortSignal): Promise<void> {
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
