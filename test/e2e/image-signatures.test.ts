import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { configurationSource, type HostConfiguration } from "../../installer-agent/install/host-configuration.ts";
import { checkImageTrust } from "../../installer-agent/install/image-trust.ts";
import { parseClaim } from "../../proto/config/claim.ts";
import type { SignedKeySet } from "../../proto/image/key-set.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { type ArmedHost, enrolHost, rawAgent } from "../faults/load-agents.ts";
import { makeHpsd, type RealHpsd } from "../faults/real-hpsd.ts";

const MAC = "52:54:00:00:00:01";
const BACKOFF = { min: 100, max: 1000 };

/** A tree that may be installed, and two keys with their public halves. */
function prepare(folder: string): string {
  const tree = join(folder, "tree");
  for (const name of ["boot", "sbin", "etc"]) mkdirSync(join(tree, name), { recursive: true });
  for (const name of ["boot/vmlinuz-6.1", "boot/initrd.img-6.1", "sbin/init"]) {
    writeFileSync(join(tree, name), name, { mode: 0o755 });
  }
  for (const key of ["one", "two"].map((name) => join(folder, name))) {
    execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", `${key}.key`]);
    execFileSync("openssl", ["pkey", "-in", `${key}.key`, "-pubout", "-out", `${key}.pub`]);
  }
  return tree;
}

async function armWith(hps: Hps, image: string): Promise<ArmedHost> {
  const { id: hostId } = await hps.hosts.getHost({ host: "lab/web01" });
  const armed = await hps.hosts.armHost({ host: hostId, image });
  const { claim } = await hps.installations.issueClaim({ installation: armed.id });
  return { hostId, installation: armed.id, mac: MAC, claim: parseClaim(claim) };
}

test("from the key in a file to the agent's word: only what a cluster's key signed is armed, sent and believed", async () => {
  await using hpsd = await makeHpsd();
  await hpsd.start();
  const tree = prepare(hpsd.folder);
  const hps = await hpsd.connect();
  const said = async (words: string) => await hpsctlOf(hpsd, words);
  await said("host add web01 --mac 52:54:00:00:00:01");
  await said(`image import os:1 ${tree}`);
  await said("cluster set-keys lab FOLDER/one.pub --yes");
  const unsigned = hps.hosts.armHost({ host: "lab/web01", image: "os:1" });
  await expect(unsigned).rejects.toMatchObject({ code: "precondition", message: /os:1 bears no signature/ });
  const { source } = await hps.images.getImage({ cluster: "lab", name: "os:1" });
  await said(`image sign os:1 --key FOLDER/one.key --digest sha256:${source?.manifest?.digest}`);
  await expect(said("image sign os:1 --key FOLDER/two.key")).rejects.toThrow(/none of the trusted keys/);

  const shown = await hpsd.hpsctl("--cluster", "lab", "image", "get", "os:1");
  expect(shown.out).toMatch(/SIGNED AS +AT +BY KEY\s+os:1 +20\S+Z +[0-9a-f]{64}/);

  expect((await hpsd.hpsctl("--cluster", "lab", "image", "ls", "-o", "wide")).out).toMatch(/SIGNED BY.* one +sha256:/s);

  const { agent, look } = await enrolled(hpsd, await armWith(hps, "os:1"));
  using _ = agent;
  const configuration = async () => await look(AbortSignal.timeout(20_000));
  const first = believed(await configuration());
  expect(first).toMatchObject({ serial: 1, keys: [{ label: "one" }] });

  await said("cluster set-keys lab FOLDER/two.pub --signed-by FOLDER/one.key");
  const meanwhile = await configuration();
  expect(() => believed(meanwhile)).toThrow(/os:1 is not signed as cluster "lab" asks/);
  await said("image sign os:1 --key FOLDER/two.key");
  expect(believed(await configuration(), first)).toMatchObject({ serial: 2, keys: [{ label: "two" }] });

  await said("cluster set-keys lab FOLDER/one.pub --without-old-key --yes");
  const foreign = await configuration();
  expect(believed(foreign)).toMatchObject({ serial: 3 });
  expect(() => believed(foreign, first)).toThrow(/believes other keys: key set 3 .* bears no signature/);
}, 90_000);

test("a key at hpsd, which init was asked for by its name, signs what is imported", async () => {
  await using hpsd = await makeHpsd({ init: ["--image-signing", "convenience"] });
  await hpsd.start();
  const tree = prepare(hpsd.folder);
  const hps = await hpsd.connect();
  await hpsctlOf(hpsd, `host add web01 --mac ${MAC}`);
  await hpsctlOf(hpsd, `image import os:1 ${tree}`);
  const { agent, look } = await enrolled(hpsd, await armWith(hps, "os:1"));
  using _ = agent;
  const first = believed(await look(AbortSignal.timeout(20_000)));
  expect(first).toMatchObject({ serial: 1, keys: [{ label: "convenience" }] });
  const key = join(hpsd.state, "ca", "image-convenience.key");
  await hpsctlOf(hpsd, `cluster set-keys lab FOLDER/one.pub --signed-by ${key}`);
  await hpsctlOf(hpsd, "image sign os:1 --key FOLDER/one.key");
  expect(believed(await look(AbortSignal.timeout(20_000)), first)).toMatchObject({ serial: 2 });
}, 90_000);

/** What this host's agent is told, as it reads it. */
async function enrolled(hpsd: RealHpsd, host: ArmedHost) {
  const agent = rawAgent(await enrolHost(host, hpsd.folder, BACKOFF));
  const { look } = configurationSource({
    ...{ service: () => agent.service, host: host.hostId, backoff: BACKOFF },
    installation: parseUuid(host.installation),
  });
  return { agent, look };
}

function believed({ order, cluster }: HostConfiguration, kept?: SignedKeySet): SignedKeySet | undefined {
  return order && checkImageTrust(order, cluster, kept)?.set;
}

async function hpsctlOf(hpsd: RealHpsd, words: string): Promise<void> {
  const { code, err } = await hpsd.hpsctl("--cluster", "lab", ...words.replaceAll("FOLDER", hpsd.folder).split(" "));
  if (code !== 0) throw new Error(`hpsctl ${words}: ${err}`);
}
