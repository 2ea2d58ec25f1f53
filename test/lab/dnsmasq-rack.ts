import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseHostName } from "../../proto/values/host-name.ts";
import { parseInterfaceName } from "../../proto/values/interface-name.ts";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { parseIpv4Network } from "../../proto/values/ipv4-network.ts";
import { parseMac } from "../../proto/values/mac.ts";
import type { DnsmasqPlan, PlannedHost } from "../../server/services/dnsmasq/dnsmasq-plan.ts";
import type { LeaseEvent } from "../../server/services/dnsmasq/lease-event.ts";
import { type Dnsmasq, startDnsmasq } from "../../server/services/dnsmasq/start-dnsmasq.ts";
import type { ServiceState } from "../../server/services/supervise.ts";
import { labFolder } from "./janitor.ts";
import { createRack, type Rack } from "./rack.ts";

/** The plan most tests start from: `web01` and `db01` reserved, `.100` to `.119` for strangers. */
export function labPlan(hosts: readonly PlannedHost[], more: Partial<DnsmasqPlan> = {}): DnsmasqPlan {
  return {
    interface: parseInterfaceName("br0"),
    serverAddress: parseIpv4("10.77.0.1"),
    network: parseIpv4Network("10.77.0.0/24"),
    dhcp: {
      mode: "server",
      range: { from: parseIpv4("10.77.0.100"), to: parseIpv4("10.77.0.119"), leaseSeconds: 120 },
      hostLeaseSeconds: 3600,
      unknown: "lease",
    },
    dns: { upstream: [], serverNames: [parseDomainName("hps.example.test")] },
    ipxeUrl: "http://10.77.0.1:7080/boot/v1/ipxe?mac=$" + "{netX/mac}",
    hosts,
    user: "nobody",
    ...more,
  };
}

export function labHost(name: string, macs: readonly string[], address: string): PlannedHost {
  return {
    name: parseHostName(name),
    domain: parseDomainName("example.test"),
    macs: macs.map(parseMac),
    address: parseIpv4(address),
  };
}

export interface DnsmasqRack {
  readonly rack: Rack;
  readonly folder: string;
  readonly dnsmasq: Dnsmasq;
  readonly events: LeaseEvent[];
  readonly states: ServiceState[];
  readonly lines: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** A rack whose server namespace runs dnsmasq the way hpsd does. */
export async function startDnsmasqRack(macs: readonly string[], plan: DnsmasqPlan): Promise<DnsmasqRack> {
  const folder = await labFolder();
  const rack = await createRack({ clients: macs });
  const [events, states, lines]: [LeaseEvent[], ServiceState[], string[]] = [[], [], []];
  const clear = async () => {
    await rack.dispose();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const program = await dnsmasqIn(rack.server.ns, folder);
    const dnsmasq = await startDnsmasq({
      plan,
      stateDir: join(folder, "state"),
      program,
      onLease: (event) => events.push(event),
      onState: (state) => states.push(state),
      log: (line) => lines.push(line),
    });
    const dispose = async () => {
      await dnsmasq.stop();
      await clear();
    };
    return { rack, folder, dnsmasq, events, states, lines, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** A program that is dnsmasq in that namespace, for a caller outside of it. */
async function dnsmasqIn(ns: string, folder: string): Promise<string> {
  const program = join(folder, "dnsmasq");
  await writeFile(program, `#!/bin/sh\nexec nsenter --net=/run/netns/${ns} -- dnsmasq "$@"\n`, { mode: 0o755 });
  return program;
}
