import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";
import { type AskOptions, claimUrl, type Reply } from "../lab/machine.ts";
import { FORMS, type Form, refusalsDuring, refusedIn } from "../lab/refusals.ts";
import { must } from "../lab/run.ts";

const WEB = "52:54:00:00:01:01";
const DB = "52:54:00:00:02:01";
const STRANGER = "52:54:00:00:0f:01";
const THIEF = "52:54:00:00:0f:02";
const WINDOW_MS = 10_000;

/** Exactly one refusal, in the asker's form with its status; the audit event and the answer have the same incident. */
interface Expected {
  readonly form?: Form;
  readonly status?: number;
  readonly reason: string;
  readonly actor: string;
  readonly action?: string;
  readonly target?: string;
}

async function expectRefused(
  lab: HpsdRack,
  ask: (options: AskOptions) => Promise<Reply>,
  { form = "json", status = FORMS[form].status, reason, ...event }: Expected,
): Promise<void> {
  const { reply, incident, events } = await refusedIn(lab, form, ask);
  expect(reply).toMatchObject({ status, type: expect.stringContaining(FORMS[form].type) });
  expect(reply.body).toContain(
    form === "ipxe" || form === "html" ? reason.replaceAll("'", form === "ipxe" ? "?" : "&#39;") : reason,
  );
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ action: "boot.script", ...event, reason: expect.stringContaining(reason) });
  expect(events[0]?.incident).toBe(incident);
}

test("who is not the machine it says, or not known, gets nothing but one refusal in its own form", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, STRANGER, THIEF], sets: ["boot.window=10s"] });
  const [web, stranger, thief] = [lab.machine(0), lab.machine(1), lab.machine(2)];
  const host = await lab.hps.hosts.createHost({
    host: { cluster: "lab", name: "web01", macs: [WEB], addresses: ["10.77.0.11"] },
  });
  const about = { target: `host:${host.id}` };
  await web.dhcp();
  const idle = { ...about, actor: `mac:${WEB}`, reason: "web01 is not armed" };
  for (const form of ["ipxe", "json", "html", "text"] as const) {
    await expectRefused(lab, (how) => web.ask(how), { ...idle, form });
  }
  await lab.hps.hosts.armHost({ host: "lab/web01" });

  const greeted = await stranger.dhcp();
  const greetedAt = Date.now();
  expect((await stranger.ask()).body).toContain("HPS does not know this machine");
  const file = await stranger.ask({ path: "/boot/v1/files/kernel", agent: "curl/8" });
  expect(file).toMatchObject({ status: 403, body: expect.stringContaining("the machine is unknown") });

  const forged = { reason: "the sender's link address is another machine's", actor: `mac:${WEB}` };
  for (const form of ["ipxe", "json", "html", "text"] as const) {
    await expectRefused(lab, (how) => stranger.ask({ ...how, mac: WEB }), { ...forged, form });
  }

  await thief.takeAddress(greeted);
  await lab.rack.run(["ip", "neigh", "flush", "all"]);
  const stolen = { reason: "the sender's address is leased to another machine", actor: `mac:${THIEF}` };
  await expectRefused(lab, (how) => thief.ask(how), { ...stolen, form: "ipxe" });

  // The host is off; the thief has its address and says it is the host.
  await must(["ip", "-n", web.client.ns, "link", "set", "eth0", "down"]);
  await thief.takeAddress("10.77.0.11");
  await lab.rack.run(["ip", "neigh", "flush", "all"]);
  await expectRefused(lab, (how) => thief.ask({ ...how, mac: WEB }), forged);

  await thief.takeAddress("10.77.0.77");
  const unleased = { reason: "the sender's address was not leased by this server", actor: `mac:${THIEF}` };
  await expectRefused(lab, (how) => thief.ask(how), { ...unleased, form: "html" });

  await sleep(Math.max(0, greetedAt + WINDOW_MS + 500 - Date.now()));
  await lab.rack.run(["ip", "neigh", "flush", "all"]);
  const late = { reason: "its time for a first contact is over", actor: `mac:${STRANGER}` };
  await expectRefused(lab, (how) => stranger.ask(how), { ...late, form: "text" });
});

test("a claim is good once, in its time, for its host", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, DB] });
  const [web, db] = [lab.machine(0), lab.machine(1)];
  await lab.hps.hosts.createHost({ host: { cluster: "lab", name: "web01", macs: [WEB], addresses: ["10.77.0.11"] } });
  await lab.hps.hosts.createHost({ host: { cluster: "lab", name: "db01", macs: [DB], addresses: ["10.77.0.12"] } });
  const { id } = await lab.hps.hosts.armHost({ host: "lab/web01" });
  await web.dhcp();
  await db.dhcp();
  const script = (await web.ask()).body;
  const path = new URL(claimUrl(script)).pathname;
  const event = { action: "claim.fetch", actor: `mac:${WEB}`, target: `installation:${id}` };
  await expectRefused(lab, (how) => db.ask({ ...how, path }), {
    ...event,
    reason: "the claim was given to another address",
  });
  const held = await web.fetchClaim(script);
  await expectRefused(lab, (how) => web.ask({ ...how, path }), {
    ...event,
    // Not a script in the claim's place: iPXE would load it and boot without a claim.
    ...({ form: "ipxe", status: 403 } as const),
    reason: "the claim was fetched before",
  });

  const carried = await refusalsDuring(lab, async () => {
    const agent = await db.startAgent({ held, facts: { macs: [DB], serial: "S2" } });
    return { code: await agent.ended, output: agent.output() };
  });
  expect(carried.result.output).toContain("the claim is another host's");
  expect(carried.events).toHaveLength(1);
  expect(carried.events[0]).toMatchObject({ action: "enrol", target: `installation:${id}`, address: "10.77.0.12" });
  expect(carried.result.output).toContain(carried.events[0]?.incident);

  // Time cannot be turned here, so the ends of claim and window are moved to it.
  edit(lab, `UPDATE claim SET expires_at = 1 WHERE installation_id = '${id}'`);
  await expectAgentRefused(lab, held, "the claim has expired");
  const again = (await web.ask()).body;
  edit(lab, `UPDATE claim SET expires_at = 1 WHERE installation_id = '${id}'`);
  const stale = { ...event, reason: "the claim has expired" };
  await expectRefused(lab, (how) => web.ask({ ...how, path: new URL(claimUrl(again)).pathname }), stale);

  const late = await web.boot();
  edit(lab, `UPDATE installation SET window_end_at = 1 WHERE id = '${id}'`);
  await expectAgentRefused(lab, late, /the window of this host is over|the installation of this claim has ended/);
  await expectRefused(lab, (how) => web.ask(how), { actor: `mac:${WEB}`, reason: "web01" });
});

type Held = Awaited<ReturnType<ReturnType<HpsdRack["machine"]>["boot"]>>;

async function expectAgentRefused(lab: HpsdRack, held: Held, reason: string | RegExp): Promise<void> {
  const { result, events } = await refusalsDuring(lab, async () => {
    const agent = await lab.machine(0).startAgent({ held, facts: { macs: [WEB], serial: "S1" } });
    expect(await agent.ended).not.toBe(0);
    return agent.output();
  });
  expect(result).toMatch(reason);
  expect(events).toHaveLength(1);
  expect(result).toContain(events[0]?.incident);
}

/** Changes hpsd's store beside it, as no one else may. */
function edit(lab: HpsdRack, sql: string): void {
  const store = new Database(`${lab.folder}/state/hpsd.db`, { timeout: 10_000 });
  try {
    store.exec(sql);
  } finally {
    store.close();
  }
}
