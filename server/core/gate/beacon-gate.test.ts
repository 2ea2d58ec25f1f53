import { expect, test } from "vitest";
import { type Beacon, parseBeacon } from "../../../proto/config/beacon.ts";
import { selectLogLines } from "../../store/log-lines.ts";
import { BEACON_SOURCE } from "./beacon-gate.ts";
import { linesOf } from "./beacon-lines.ts";
import { ADDRESS, expectRefused, type GateRig, MAC, MINUTE, OTHER_ADDRESS, OTHER_MAC, openGateRig } from "./testing.ts";

const beacon = (words: Partial<Beacon> = {}): Beacon =>
  parseBeacon(
    JSON.stringify({ mac: MAC, step: "network", reason: "no DHCP answer on eth0", log: "one\ntwo\n", ...words }),
  );

const sent = (rig: GateRig, words: Partial<Beacon> = {}, from = { address: ADDRESS, neighbour: { mac: MAC } }) =>
  rig.core.gate.beacons.take({ beacon: beacon(words), ...from });

async function logOf({ store }: GateRig, id: string): Promise<readonly string[]> {
  const rows = await store.read((db) => selectLogLines(db, id, { after: 0, last: 100_000 }));
  expect(rows.every(({ source }) => source === BEACON_SOURCE)).toBe(true);
  return rows.map(({ text }) => Buffer.from(text).toString());
}

const SENTENCE = `not attached, unauthenticated word from ${ADDRESS}: step network: no DHCP answer on eth0`;

test("what an installer says before it is attached is in the log of the installation that holds its host, once", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  await sent(rig);
  await sent(rig, { log: "one\ntwo\nthree\n" });
  await sent(rig, { log: "wo\nthree\nfour\n", installation: beacon({ installation: undefined }).installation });
  expect(await logOf(rig, id)).toEqual([SENTENCE, "one", "two", "three", "four"]);
  await sent(rig, { log: "four\n", reason: "no server" });
  expect((await logOf(rig, id)).slice(5)).toEqual([SENTENCE.replace("no DHCP answer on eth0", "no server")]);
  expect(await rig.state()).toBe("armed");
});

test("strangers, hosts that nothing installs, and other installations are refused", async () => {
  await using rig = await openGateRig();
  await expectRefused(rig, sent(rig), "web01 is not held by an installation");
  const id = await rig.arm();
  await expectRefused(rig, sent(rig, {}, { address: ADDRESS, neighbour: { mac: OTHER_MAC } }), "another machine's");
  rig.lease(OTHER_MAC, OTHER_ADDRESS);
  const stranger = { address: OTHER_ADDRESS, neighbour: { mac: OTHER_MAC } };
  await expectRefused(rig, sent(rig, { mac: OTHER_MAC as Beacon["mac"] }, stranger), "the machine is unknown");
  const { installation } = parseBeacon(JSON.stringify({ ...beacon(), installation: rig.hostId }));
  await expectRefused(rig, sent(rig, { installation }), "web01 is not held by that installation");
  expect(await logOf(rig, id)).toEqual([]);
});

test("a machine long after its lease is known by its link address; what it repeats on and on is cut", async () => {
  await using rig = await openGateRig();
  const id = await rig.arm();
  rig.core.gate.leases.released(ADDRESS);
  for (let count = 0; count < 12; count += 1) await sent(rig, { log: `line ${count}\n` });
  await expect(sent(rig)).rejects.toMatchObject({ code: "exhausted" });
  rig.time.now += MINUTE;
  await sent(rig, { log: "later\n" });
  expect(await logOf(rig, id)).toHaveLength(14);
});

test("only what is new is told, also when the log was cut within a line or began anew", () => {
  const words = (log: string) => ({ step: "s", reason: "", address: "a", log });
  const added = (before: string, now: string) => linesOf(words(now), words(before));
  expect(added("a\nb\nc", "a\nb\nc")).toEqual([]);
  expect(added("a\nb\nc", "c\nd")).toEqual(["d"]);
  expect(added("aaa\nbbb\nccc", "b\nccc\nd")).toEqual(["d"]);
  expect(added("a\nb", "x\ny")).toEqual(["x", "y"]);
  expect(added("a\na", "a\na\na")).toEqual(["a"]);
  expect(linesOf(words(""), undefined)).toEqual(["not attached, unauthenticated word from a: step s"]);
});
