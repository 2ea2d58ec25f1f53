import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readContact } from "../../installer-agent/link/contact.ts";
import { simpleReenroll } from "../../installer-agent/link/est-client.ts";
import { type Identity, loadIdentity } from "../../installer-agent/link/identity.ts";
import { openStateFolder } from "../../installer-agent/link/state-folder.ts";
import { OperatorSession } from "../e2e/operator-session.ts";
import { armHost, eachOf, enrolHost, LoadAgent, linesOf, rawAgent } from "./load-agents.ts";
import { startAgent } from "./real-agent.ts";
import { startHpsd, until } from "./real-hpsd.ts";

const BACKOFF = { min: 100, max: 1_000 };

let hpsd: Awaited<ReturnType<typeof startHpsd>>;
let number = 0;

beforeAll(async () => {
  hpsd = await startHpsd();
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

async function enrolled() {
  number += 1;
  const host = await armHost(hpsd.admin, number);
  return { host, identity: await enrolHost(host, `${hpsd.folder}/agents`, BACKOFF) };
}

async function ctl(...words: readonly string[]): Promise<string> {
  const { code, out, err } = await hpsd.hpsctl(...words);
  if (code !== 0) throw new Error(`hpsctl ${words.join(" ")}: ${err}`);
  return out;
}

/** The certificate a new connection to this port is shown. */
function shownAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
  });
}

const serialOf = ({ credentials }: Identity) => credentials.certificate.serialNumber.toLowerCase();

test("intermediate and server certificate are replaced under load without an outage", async () => {
  const agents = await eachOf(Array.from({ length: 20 }), 4, async () => {
    return new LoadAgent({ ...(await enrolled()), backoff: BACKOFF });
  });
  onTestFinished(async () => void (await Promise.all(agents.map((agent) => agent.stop()))));
  for (const agent of agents) agent.start();
  const talking = setInterval(() => {
    for (const agent of agents) agent.say();
  }, 20);
  onTestFinished(() => clearInterval(talking));
  await until("all attached", 20_000, () => agents.every(({ welcomes }) => welcomes === 1));
  // Calls on an open connection and on new ones, one after the other, all the while.
  const failures: unknown[] = [];
  let calls = 0;
  let going = true;
  const calling = (async () => {
    while (going) {
      const fresh = await hpsd.connect();
      for (const hps of [hpsd.admin, fresh]) {
        await hps.identity.whoAmI({}).catch((error: unknown) => failures.push(error));
        calls += 1;
      }
      fresh.close();
    }
  })();
  const [before, httpsBefore] = [await shownAt(hpsd.grpc), await shownAt(hpsd.https)];
  expect(httpsBefore).toBe(before);
  await ctl("cert", "rotate-server");
  const rotated = await shownAt(hpsd.grpc);
  expect(rotated).not.toBe(before);
  expect(await shownAt(hpsd.https)).toBe(rotated);
  const [request, signed] = [path.join(hpsd.folder, "request.pem"), path.join(hpsd.folder, "signed.pem")];
  await writeFile(request, await ctl("cert", "prepare-intermediate"));
  const keys = ["--root-key", hpsd.rootKey, "--root-passphrase-file", hpsd.passphraseFile];
  const signing = await hpsd.runPlain("ca", "sign", request, ...keys, "--out", signed);
  expect(signing).toMatchObject({ code: 0, stdout: expect.stringMatching(/signed/) });
  await ctl("cert", "install-intermediate", signed);
  // Whoever comes now is signed by the new one; whoever came before goes on, and renews.
  const issuer = new X509Certificate(await readFile(signed));
  const late = await enrolled();
  expect(late.identity.credentials.intermediates.map(({ fingerprint256 }) => fingerprint256)).toContain(
    issuer.fingerprint256,
  );
  const newcomer = new LoadAgent({ ...late, backoff: BACKOFF });
  onTestFinished(() => newcomer.stop());
  newcomer.start();
  await until("the late one attached", 10_000, () => newcomer.welcomes === 1);
  expect(await shownAt(hpsd.https)).not.toBe(rotated);
  const again = await hpsd.run("serve");
  expect(again.stderr).toMatch(/in use by process/);
  going = false;
  await calling;
  clearInterval(talking);
  await until("all acknowledged", 10_000, () => agents.every(({ waiting }) => waiting === 0));
  expect(failures).toEqual([]);
  expect(agents.map(({ welcomes }) => welcomes)).toEqual(agents.map(() => 1));
  const [one] = agents;
  if (one === undefined) throw new Error("no agents");
  expect(await linesOf(hpsd.admin, one.host.installation)).toHaveLength(one.lines);
  // The certificates of before are good after a restart too, and hpsd shows the one it had.
  const shown = await shownAt(hpsd.grpc);
  expect(await hpsd.program().stop()).toBe(0);
  await hpsd.start();
  await until("all back", 15_000, () => agents.every(({ welcomes }) => welcomes === 2));
  expect(await shownAt(hpsd.grpc)).toBe(shown);
  console.info(`${calls} calls while certificates were replaced, none failed`);
});

test("revocation by hpsctl works on the next call and ends open streams within a second", async () => {
  const { identity, host } = await enrolled();
  using agent = rawAgent(identity);
  const said = Promise.withResolvers<never>();
  async function* hello() {
    yield { message: { case: "hello" as const, value: { runId: crypto.randomUUID(), version: "0.1.0" } } };
    await said.promise;
  }
  const stream = agent.service.attach(hello())[Symbol.asyncIterator]();
  expect((await stream.next()).value?.message.case).toBe("welcome");
  expect(await agent.service.getConfiguration({ hostId: host.hostId })).toMatchObject({ hostId: host.hostId });
  const ended = stream.next().then(
    () => undefined,
    (error: unknown) => ({ error, at: performance.now() }),
  );
  const revoking = performance.now();
  await ctl("cert", "revoke", serialOf(identity), "--reason", "stolen", "--yes");
  const revoked = performance.now();
  await expect(agent.service.getConfiguration({ hostId: host.hostId })).rejects.toMatchObject({
    code: "unauthenticated",
    message: expect.stringMatching(/revoked: stolen/),
  });
  const end = await ended;
  expect(end?.error).toMatchObject({ code: "unauthenticated" });
  expect((end?.at ?? 0) - revoked).toBeLessThan(1_000);
  await expect(
    simpleReenroll(identity.contact, identity.credentials, AbortSignal.timeout(10_000)),
  ).rejects.toMatchObject({
    code: "unauthenticated",
  });
  using other = rawAgent(identity);
  await expect(other.service.getConfiguration({ hostId: host.hostId })).rejects.toMatchObject({
    code: "unauthenticated",
  });
  console.info(`stream ended ${Math.round((end?.at ?? 0) - revoking)} ms after hpsctl began to revoke`);
});

test("an agent that renews keeps its shells, and loses them when its new certificate is revoked", async () => {
  number += 1;
  const host = await armHost(hpsd.admin, number);
  const agent = await startAgent(host, hpsd.folder, { name: "renewing" });
  onTestFinished(async () => void (await agent.stop()));
  const name = `lab/h${number}`;
  const session = OperatorSession.open(hpsd.admin.shells, { host: name, term: "xterm" });
  await session.session;
  await session.type("echo before-$((6*7))\n");
  await session.shows(/before-42/);
  const subject = `spiffe://lab.example/installer/${host.installation}`;
  const certificates = async () => {
    const { certificates: found } = await hpsd.admin.identity.listCertificates({ identity: subject, validOnly: true });
    return found.map(({ serial }) => serial);
  };
  const [old] = await certificates();
  await renew(hpsd.folder);
  expect(old).toBeDefined();
  await session.type("echo after-$((6*7))\n");
  await session.shows(/after-42/);
  const [renewed, ...more] = await certificates();
  expect(more).toEqual([]);
  expect(renewed).not.toBe(old);
  await ctl("cert", "revoke", renewed ?? "", "--reason", "stolen", "--yes");
  expect(await session.exit()).toMatchObject({ reason: expect.stringMatching(/revoked|agent/) });
});

/** As the agent's own renewal would: the same key asks anew, and the new certificate is used once. */
async function renew(folder: string): Promise<void> {
  const state = path.join(folder, "renewing", "state");
  const files = await openStateFolder(state);
  const contact = await readContact(files.contact);
  const identity = await loadIdentity(files, contact?.claimDigest);
  if (identity === undefined) throw new Error("the agent has no identity");
  const answer = await simpleReenroll(identity.contact, identity.credentials, AbortSignal.timeout(10_000));
  if (answer.kind !== "issued") throw new Error("not renewed");
  await identity.renew(answer.chain);
  using agent = rawAgent(identity);
  await agent.service.getConfiguration({ hostId: "none" }).catch(() => undefined);
}
