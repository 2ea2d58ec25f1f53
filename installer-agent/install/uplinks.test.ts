import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { type InterfaceName, parseInterfaceName } from "../../proto/values/interface-name.ts";
import { parseIpv4 } from "../../proto/values/ip-address.ts";
import { parseMac } from "../../proto/values/mac.ts";
import { createLog } from "../log.ts";
import type { DhcpEvent, Lease } from "../plan/dhcp-event.ts";
import type { NetworkLink } from "../system/links.ts";
import { type LinkEffects, Uplinks } from "./uplinks.ts";

let stop = new AbortController();
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

const link = (index: number): NetworkLink => ({
  name: parseInterfaceName(`eth${index}`),
  mac: parseMac(`52:54:00:00:00:0${index}`),
  index: index + 2,
});
const leaseOf = (name: InterfaceName, address: string): Lease => ({
  ...{ interface: name, address: parseIpv4(address), prefix: 24, nameServers: [] },
});
const HPSD = parseIpv4("10.0.1.1");

/** Cards 0: dead, 1: DHCP but hpsd is not there, 2: DHCP and hpsd; what was done, in order. */
function rack() {
  const done: string[] = [];
  const events = new Map<InterfaceName, (event: DhcpEvent) => void>();
  const cards = [link(0), link(1), link(2)];
  const effects: LinkEffects = {
    list: async () => cards,
    setUp: async ({ name }) => void done.push(`up ${name}`),
    hasCarrier: async (name) => name !== "eth0",
    speed: async (name) => (name === "eth2" ? 1000 : undefined),
    dhcp: async (name, onEvent, signal) => {
      events.set(name, onEvent);
      onEvent({ kind: "none", interface: name });
      onEvent({ kind: "lease", lease: leaseOf(name, `10.0.${name.at(-1)}.5`) });
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
    },
    apply: async ({ address }, { name }) => void done.push(`apply ${name} ${address}`),
    drop: async ({ name }) => void done.push(`drop ${name}`),
    reach: async ({ interface: name }) => {
      if (name === "eth2") return HPSD;
      throw new HpsError("unavailable", "hpsd cannot be reached from here: EHOSTUNREACH");
    },
    prefer: async ({ interface: name }, server) => void done.push(`prefer ${name} ${server}`),
    resolve: async () => undefined,
  };
  return { effects, done, events };
}

test("all cards are tried at once; the one over which hpsd answers is the way to it; a dead one is named", async () => {
  const { effects, done, events } = rack();
  const uplinks = new Uplinks(
    effects,
    createLog("error", () => undefined),
  );
  void uplinks.run(stop.signal);
  await uplinks.reached;
  expect(done.slice(0, 3)).toEqual(["up eth0", "up eth1", "up eth2"]);
  expect(done).toContain("apply eth2 10.0.2.5");
  expect(done).toContain("prefer eth2 10.0.1.1");
  await expect.poll(() => done).toContain("apply eth1 10.0.1.5");
  expect(await uplinks.report()).toEqual([
    "eth0 52:54:00:00:00:00: no link: is its cable in, and the switch's port on?",
    expect.stringMatching(/^eth1 52:54:00:00:00:01: up, 10\.0\.1\.5\/24 by DHCP, no router/),
    "eth2 52:54:00:00:00:02: up at 1000 Mb/s, 10.0.2.5/24 by DHCP, no router, the way to hpsd",
  ]);
  // A renewal changes nothing; a lost lease takes the address away.
  const eth2 = parseInterfaceName("eth2");
  const count = done.length;
  events.get(eth2)?.({ kind: "lease", lease: { ...leaseOf(eth2, "10.0.2.5"), seconds: 60 } });
  events.get(eth2)?.({ kind: "none", interface: eth2 });
  await expect.poll(() => done.slice(count)).toContain("drop eth2");
  expect(done.slice(count)).not.toContain("apply eth2 10.0.2.5");
});

test("two cards that get their addresses together tell the resolver one after the other, and both are tried", async () => {
  const { effects } = rack();
  const tried = new Set<InterfaceName>();
  let told = 0;
  let busy = false;
  const uplinks = new Uplinks(
    {
      ...effects,
      resolve: async () => {
        if (busy) throw new Error("it is being written");
        busy = true;
        await sleep(10);
        busy = false;
        told += 1;
        throw new Error("no space");
      },
      reach: async (lease) => {
        tried.add(lease.interface);
        return effects.reach(lease);
      },
    },
    createLog("error", () => undefined),
  );
  void uplinks.run(stop.signal);
  await uplinks.reached;
  await expect.poll(() => [...tried].sort()).toEqual(["eth1", "eth2"]);
  await expect.poll(() => told).toBe(3);
});
