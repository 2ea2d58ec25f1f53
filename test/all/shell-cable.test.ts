import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { must } from "../lab/run.ts";
import { attachedHost, nothingLeft, type ShellUser, shellUser } from "../lab/shell-user.ts";
import { scenario } from "../runner/scenario.ts";

/** hpsd and hpsctl give a peer that says nothing 50 s at most. */
const PULLED_MS = 60_000;
const PATIENCE_MS = 90_000;

/** Pulls the cable of the rack's machine of this number, and puts it back. */
async function pull({ rack }: HpsdRack, number: number): Promise<void> {
  const set = async (state: string) => await must(["ip", "-n", rack.server.ns, "link", "set", `p${number}`, state]);
  await set("down");
  await sleep(PULLED_MS);
  await set("up");
}

async function goesOn(lab: HpsdRack, user: ShellUser): Promise<void> {
  const { terminal } = user;
  await terminal.type("echo $there-there; exit 3\n");
  await terminal.shows("still-there");
  expect(await terminal.ended).toBe(3);
  await nothingLeft(lab, user);
}

scenario("shell-cable-host", async () => {
  await using lab = await startHpsdRack({ machines: ["52:54:00:00:01:01"] });
  await attachedHost(lab, lab.machine(0), join(lab.folder, "agent"));
  await using user = await shellUser(lab);
  const { terminal } = user;
  await terminal.type("there=still; echo no''ted\n");
  await terminal.shows("noted\r\n");
  const pulled = pull(lab, 0);
  await terminal.shows(/hpsctl: host \S+ is out of reach; the session waits for it, at most 5 min/, PATIENCE_MS);
  await pulled;
  await terminal.shows(/hpsctl: host \S+ is back/, PATIENCE_MS);
  await goesOn(lab, user);
});

scenario("shell-cable-operator", async () => {
  await using lab = await startHpsdRack({ machines: ["52:54:00:00:01:01", "52:54:00:00:01:02"] });
  await attachedHost(lab, lab.machine(0), join(lab.folder, "agent"));
  const desk = lab.machine(1);
  await desk.takeAddress("10.77.0.50");
  await using user = await shellUser(lab, { ns: desk.client.ns });
  const { terminal } = user;
  await terminal.type("there=still; echo no''ted\n");
  await terminal.shows("noted\r\n");
  const pulled = pull(lab, 1);
  await terminal.shows(/hpsctl: .*; tries to come back for 10m, ~\. leaves/, PATIENCE_MS);
  await pulled;
  await terminal.shows("hpsctl: back in the session", PATIENCE_MS);
  await goesOn(lab, user);
});
