import { expect, test } from "vitest";
import { AuditOutcome } from "../../proto/gen/hps/v1/audit_pb.ts";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { parseEndpoint } from "../../proto/values/endpoint.ts";
import { parseHttpsUrl } from "../../proto/values/https-url.ts";
import { armedHost, issuedFor, journalOf, untilState } from "../lab/gate-steps.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";

const WEB = "52:54:00:00:01:01";
const DB = "52:54:00:00:02:01";
const PROXY = new URL("../lab/cut-proxy.ts", import.meta.url).pathname;
const factsOf = (mac: string) => ({ macs: [mac], serial: `S-${mac}` });

/** Between the machines and a port of hpsd. */
function proxy(lab: HpsdRack, ...words: readonly string[]) {
  return lab.rack.start({ argv: [process.execPath, PROXY, ...words], readyLine: /listening/ });
}

test("an enrolment whose reply is lost: the same claim and key get the same certificate, a machine that restarts a new one", async () => {
  await using lab = await startHpsdRack({ machines: [WEB, DB] });
  const https = parseHttpsUrl("https://10.77.0.1:17444");
  const cut = await proxy(lab, "17444", "7444", "reply");
  const web = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  const held = await lab.machine(0).rewrite(await lab.machine(0).boot(), { https });
  const agent = await lab.machine(0).startAgent({ held, facts: factsOf(WEB) });
  await agent.waitFor(/attached/);
  expect(cut.output()).toContain("lost");
  expect(agent.output()).toMatch(/cannot enrol yet/);
  expect(await issuedFor(lab, web)).toHaveLength(1);
  await untilState(lab, web, InstallationState.INSTALLING);
  await cut.stop();

  // Here the machine dies before the reply comes: what it had in memory is gone.
  const held2 = await proxy(lab, "17444", "7444", "hold");
  const db = await armedHost(lab, { name: "db01", mac: DB, address: "10.77.0.12" });
  const machine = lab.machine(1);
  const dying = await machine.startAgent({
    held: await machine.rewrite(await machine.boot(), { https }),
    facts: factsOf(DB),
  });
  await held2.waitFor(/lost/);
  await untilState(lab, db, InstallationState.INSTALLING);
  await dying.stop("SIGKILL");
  const [unheard] = await issuedFor(lab, db, true);
  const again = await machine.startAgent({ held: await machine.boot(), facts: factsOf(DB) });
  await again.waitFor(/attached/);
  await untilState(lab, db, InstallationState.INTERRUPTED);
  expect(await issuedFor(lab, db)).toHaveLength(2);
  expect(await issuedFor(lab, db, true)).not.toContain(unheard);

  expect((await lab.hps.audit.listAuditEvents({ outcome: AuditOutcome.REFUSED })).events).toEqual([]);
});

test("an acknowledgement of Attach that is lost: the agent says it again, and it counts once", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const late = await proxy(lab, "17443", "7443", "late");
  const id = await armedHost(lab, { name: "web01", mac: WEB, address: "10.77.0.11" });
  const machine = lab.machine(0);
  const held = await machine.rewrite(await machine.boot(), { grpc: parseEndpoint("10.77.0.1:17443") });
  const agent = await machine.startAgent({ held, facts: factsOf(WEB) });
  await expect
    .poll(async () => (await journalOf(lab, id)).some(({ entry }) => entry.case === "event"), { timeout: 40_000 })
    .toBe(true);
  process.kill(late.pid, "SIGUSR1");
  expect(Number((await late.waitFor(/lost (\d+)/))[1])).toBeGreaterThan(0);
  await agent.waitFor(/not attached.*attached/s);
  await agent.waitFor(/all steps of this agent are done/);
  const done = async () => (await lab.hps.installations.getInstallation({ installation: id })).steps;
  await expect
    .poll(async () => (await done()).every(({ endTime }) => endTime !== undefined), { timeout: 30_000 })
    .toBe(true);
  const journal = await journalOf(lab, id);
  expect(journal.map(({ sequence }) => Number(sequence))).toEqual(journal.map((_, index) => index + 1));
  const said = journal.flatMap(({ entry }) => {
    const event = entry.case === "event" ? entry.value.event : undefined;
    return event?.case === "stepStarted" || event?.case === "stepSucceeded"
      ? [`${event.case} ${event.value.step}`]
      : [];
  });
  expect(said).toContain("stepSucceeded configuration");
  expect(new Set(said).size).toBe(said.length);
});
