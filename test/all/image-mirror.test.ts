import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { Documented } from "../lab/documented.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { type Nginx, startNginx } from "../lab/nginx.ts";
import { expectInstalled, plainMachine } from "../lab/power-cut.ts";
import { must } from "../lab/run.ts";
import type { Vm } from "../lab/vm/vm.ts";
import { scenario } from "../runner/scenario.ts";

const SERVER = "10.77.0.1";
const PORT = 8080;

let rack: InstallRack;
beforeAll(async () => {
  rack = await startInstallRack();
});
afterAll(() => rack[Symbol.asyncDispose]());

/** A mirror with what is in hpsd's folder now, which the cluster's hosts are told of; all by commands of the documentation. */
async function openMirror(folder: string, rate?: string): Promise<Nginx> {
  const at = { ns: rack.rack.server.ns, address: SERVER, port: PORT };
  const nginx = await startNginx({ folder, at, counted: true, ...(rate !== undefined && { rate }) });
  const docs = await Documented.open(rack, "docs/image-mirrors.md");
  await docs.must(
    "rsync -rt --exclude 'incoming-*' --chmod=D755,F644 /var/lib/hpsd/images/packs /var/lib/hpsd/images/deltas cache:/srv/hps/",
    { instead: { "/var/lib/hpsd": join(rack.folder, "state"), "cache:/srv/hps": join(folder, "srv") } },
  );
  const examples = "https://cache.example.org/hps --image-mirror http://10.77.0.5:8080/hps";
  await docs.must(`hpsctl cluster edit lab --image-mirror ${examples}`, {
    instead: { [examples]: `http://${SERVER}:${PORT}/hps` },
  });
  return nginx;
}

/** Bytes of files that hpsd has sent since it was started. */
async function sentByHpsd(): Promise<number> {
  const argv = ["curl", "-sSfk", "--max-time", "20", "https://127.0.0.1:7444/metrics"];
  const metrics = await must(argv, { ns: rack.rack.server.ns });
  return Number(/^hps_file_bytes_total (\d+)$/m.exec(metrics)?.[1]);
}

/** Bytes of the image's manifest, and of its packs by their digest. */
async function filesOfImage() {
  for await (const { message } of rack.hps.images.getManifest({ cluster: "lab", name: rack.image })) {
    if (message.case !== "image") continue;
    const { manifest, packs = [] } = message.value.source ?? {};
    const sizes = new Map(packs.map(({ digest, sizeBytes }) => [digest, Number(sizeBytes)]));
    expect(sizes.size).toBeGreaterThan(0);
    return { packs: sizes, total: sum(sizes.values()), manifest: Number(manifest?.sizeBytes) };
  }
  return expect.unreachable();
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0);

/** Installs a machine, with `during` in the middle of the step `image`. Gives the bytes that hpsd sent from that step's beginning on. */
async function install(name: string, mac: string, during: (vm: Vm) => void = () => undefined): Promise<number> {
  await using vm = await plainMachine(rack, { name, mac });
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();
  await installation.starts("image"); // the installer's tools have come before, from hpsd
  const before = await sentByHpsd();
  await installation.progresses("image", 0.3);
  during(vm);
  await installation.succeeds();
  await expectInstalled(rack, name);
  const { steps } = await installation.get();
  expect(steps.map(({ name, attempt }) => [name, attempt])).toContainEqual(["image", 1]);
  return (await sentByHpsd()) - before;
}

scenario("image-mirror", async () => {
  await using nginx = await openMirror(join(rack.folder, "mirror"));
  const { packs, manifest } = await filesOfImage();
  const fromHpsd = await install("mirror01", "52:54:00:00:0e:01");
  const sent = nginx.sent();
  process.stderr.write(`nginx ${JSON.stringify([...sent])}, packs ${JSON.stringify([...packs])}, hpsd ${fromHpsd}\n`);
  for (const [digest, bytes] of packs) expect(sent.get(digest)).toBeGreaterThan(bytes * 0.9);
  expect(fromHpsd).toBeLessThanOrEqual(manifest);
});

scenario("image-mirror-away", async () => {
  // Slower than the disk is written: what comes is not far ahead of what is done.
  await using nginx = await openMirror(join(rack.folder, "mirror-away"), "1m");
  const { total, manifest } = await filesOfImage();
  const fromHpsd = await install("mirror02", "52:54:00:00:0e:02", () => nginx.kill());
  process.stderr.write(`packs ${total}, hpsd ${fromHpsd}\n`);
  expect(fromHpsd - manifest).toBeGreaterThan(total * 0.1);
  expect(fromHpsd - manifest).toBeLessThan(total * 0.9);
});
