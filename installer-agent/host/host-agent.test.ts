import { mkdir, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeCertificatesFile, writePrivateKeyFile } from "../../certs/files.ts";
import { privateKeyPem } from "../../certs/key.ts";
import { makePeer, PEERS } from "../../certs/test-chain.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { writeContact } from "../link/contact.ts";
import { startTestHpsd, type TestHpsd } from "../testing/test-hpsd.ts";
import { slotOf } from "./boot-report.ts";
import { runHost } from "./host-agent.ts";

let hpsd: TestHpsd;
beforeEach(async () => {
  hpsd = await startTestHpsd();
});
afterEach(() => hpsd.stop());

/** What an installation leaves on the state partition. */
async function installedState(): Promise<void> {
  const { chain, claim, agent } = hpsd;
  const { state } = agent.config;
  const { certificate, privateKey } = await makePeer(chain, PEERS.host);
  await mkdir(state, { mode: 0o700 });
  await writePrivateKeyFile(join(state, "agent.key"), privateKeyPem(privateKey));
  await writeCertificatesFile(join(state, "agent.crt"), [certificate, chain.intermediate.certificate]);
  const { grpc, https, trustDomain, rootCertificate } = claim;
  await writeContact(join(state, "contact.json"), { grpc, https, trustDomain, rootCertificate });
  await writeFile(join(state, "image"), "debian:12\n");
}

test("an installed host attaches with what it booted, and refuses an installer's commands", async () => {
  await installedState();
  const stop = new AbortController();
  const readHealth = async () => ({ disk: undefined, system: undefined });
  const running = runHost({ ...hpsd.agent, commandLine: "quiet hps.slot=b ro", readHealth }, stop.signal);
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  expect(attached.hello.boot).toMatchObject({ slot: "b", kernel: release(), image: "debian:12", healthy: true });
  const proceed = { case: "proceed", value: { doneSteps: [] } } as const;
  attached.down.push({
    message: { case: "command", value: { id: "c1", command: { ...proceed, value: { doneSteps: [] } } } },
  });
  const result = await hpsd.attach.until(() => attached.up.find((message) => message.case === "result"));
  expect(result.value).toMatchObject({ error: "cannot proceed: this is the agent of an installed host" });
  stop.abort(new HpsError("cancelled", "over"));
  await running;
});

test("a system that is still starting says so, and says when it is well", async () => {
  await installedState();
  const stop = new AbortController();
  let looks = 0;
  const readHealth = async () => {
    looks += 1;
    return { disk: undefined, system: { state: looks === 1 ? "starting" : "degraded", failed: ["x.service"] } };
  };
  const running = runHost({ ...hpsd.agent, commandLine: "hps.slot=a", readHealth }, stop.signal);
  const attached = await hpsd.attach.until(() => hpsd.attach.attaches[0]);
  const reason = "the system is still starting; failed units: x.service";
  expect(attached.hello.boot).toMatchObject({ slot: "a", healthy: false, reason });
  const event = await hpsd.attach.until(() => attached.up.find((message) => message.case === "event"));
  expect(event.value).toMatchObject({
    event: { case: "boot", value: { slot: "a", healthy: true, reason: "failed units: x.service" } },
  });
  stop.abort(new HpsError("cancelled", "over"));
  await running;
});

test("without an identity it says what to do", async () => {
  const running = runHost({ ...hpsd.agent, commandLine: "" }, new AbortController().signal);
  await expect(running).rejects.toMatchObject({ code: "not-found", hint: "install this host with HPS" });
});

test("the slot is a or b, the last that was said, or none", () => {
  expect(slotOf("root=/dev/sda1 hps.slot=a")).toBe("a");
  expect(slotOf("hps.slot=a hps.slot=b\n")).toBe("b");
  expect(slotOf("hps.slot=c xhps.slot=a hps.slot=")).toBe("");
});
