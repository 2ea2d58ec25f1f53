import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HostState } from "../../proto/gen/hps/v1/host_pb.ts";
import { rawTar } from "../../proto/tree/testing/raw-tar.ts";
import { type HpsdRack, startHpsdRack } from "../lab/hpsd-rack.ts";

/** Does not get smaller. */
const LARGE = randomBytes(6 << 20);
const WEB = "52:54:00:00:01:01";

/** A tree that has all it needs to be installed, but for what `without` names. */
function tree(without: string) {
  const entries = [
    { name: "boot/vmlinuz-6.1.0-1-amd64", content: "kernel" },
    { name: "boot/initrd.img-6.1.0-1-amd64", content: "initrd" },
    { name: "sbin/init", content: "#!/bin/sh", mode: 0o755 },
    { name: "etc/os-release", content: 'PRETTY_NAME="Test OS 12"' },
  ];
  return rawTar(entries.filter(({ name }) => without === "" || !name.includes(without)));
}

/** Every file below a folder, by the digest of its bytes. */
function digests(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((file) =>
    createHash("sha256")
      .update(readFileSync(join(file.parentPath, file.name)))
      .digest("hex"),
  );
}

const words = async (lab: HpsdRack, text: string) => await lab.hpsctl(...text.split(" "));

test("hpsctl brings an image to hpsd, a host is armed with it, and it goes again", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const folder = mkdtempSync(join(tmpdir(), "images-"));
  const [whole, lacking] = [join(folder, "whole.tar"), join(folder, "lacking.tar")];
  writeFileSync(whole, tree(""));
  writeFileSync(lacking, tree("vmlinuz"));
  const digest = createHash("sha256").update(readFileSync(whole)).digest("hex");
  const stored = () => digests(join(lab.folder, "state")).filter((found) => found === digest);
  try {
    expect(await words(lab, `image import test/os:1 ${whole} --archive`)).toMatchObject({ code: 0 });
    expect(stored()).toHaveLength(1);
    expect((await words(lab, `image import test/os:1 ${whole} --archive`)).code).toBe(0);
    expect((await words(lab, `image import test/os:1 ${lacking} --archive`)).code).toBe(6);
    expect((await words(lab, `image import test/os:2 ${lacking}`)).stderr).toContain("it has no kernel");
    const listed = JSON.parse((await words(lab, "image ls -o json")).stdout);
    expect(listed).toMatchObject([
      { name: "test/os:1", system: "Test OS 12", kernel: "6.1.0-1-amd64", source: { file: { digest }, lacks: [] } },
      { name: "test/os:2", source: { lacks: ["kernel"] } },
    ]);

    expect((await words(lab, `host add web01 --mac ${WEB} --network dhcp`)).code).toBe(0);
    const refused = await words(lab, "install web01 --image test/os:2");
    expect(refused).toMatchObject({ code: 7, stderr: expect.stringContaining("has no kernel") });
    expect((await words(lab, "install web01 --image test/os:3")).code).toBe(3);
    expect((await lab.hps.hosts.getHost({ host: "lab/web01" })).state).toBe(HostState.REGISTERED);

    const armed = await words(
      lab,
      "install web01 --image test/os:1 --disk smallest --root-size 9GiB --window 10m -o json",
    );
    expect(JSON.parse(armed.stdout)).toMatchObject({
      image: "test/os:1",
      storage: { disk: "smallest", rootSizeBytes: String(9 * 1024 ** 3), wipe: false },
    });
    expect((await words(lab, "image rm test/os:1 --yes")).code).toBe(7);
    expect(stored()).toHaveLength(1);
    expect((await words(lab, "host disarm web01")).code).toBe(0);
    expect((await words(lab, "image rm test/os:1 --yes")).code).toBe(0);
    expect(stored()).toEqual([]);
    expect((await words(lab, "image get test/os:1")).code).toBe(3);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("hpsctl brings an image of packs to hpsd: what is there is not sent again, and names move", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const folder = mkdtempSync(join(tmpdir(), "images-"));
  const [whole, lacking] = [join(folder, "whole.tar"), join(folder, "lacking.tar")];
  writeFileSync(whole, tree(""));
  writeFileSync(lacking, tree("vmlinuz"));
  const digestOf = async (name: string): Promise<string> =>
    JSON.parse((await words(lab, `image get ${name} -o json`)).stdout).source.manifest.digest;
  try {
    expect((await words(lab, `image import test/os:1 ${whole}`)).stderr).toContain(
      "45 B of 45 B are new to the library",
    );
    const digest = await digestOf("test/os:1");
    expect((await words(lab, `image import test/os:1 ${whole}`)).code).toBe(0);
    expect((await words(lab, `image import test/os:1 ${lacking}`)).code).toBe(6);
    expect((await words(lab, `image import test/os:2 ${lacking}`)).stderr).toContain("0 B of 39 B are new");
    expect((await words(lab, `image import test/os:1 ${lacking} --move`)).code).toBe(0);
    expect(await digestOf("test/os:1")).toBe(await digestOf("test/os:2"));
    expect((await words(lab, `image get sha256:${digest}`)).code).toBe(3);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("diff says what an update changes and transfers", async () => {
  await using lab = await startHpsdRack({ machines: [WEB] });
  const folder = mkdtempSync(join(tmpdir(), "images-"));
  const status = (version: string) => `Package: nginx\nStatus: install ok installed\nVersion: ${version}\n\n`;
  const archiveOf = (name: string, version: string, content: Buffer) => {
    const files = [
      { name: "var/lib/dpkg/status", content: status(version) },
      { name: "usr/large", content },
    ];
    writeFileSync(join(folder, name), rawTar([{ name: "same", content: LARGE }, ...files]));
    return join(folder, name);
  };
  try {
    for (const [tag, version] of [
      ["1", "1.22"],
      ["2", "1.24"],
    ] as const) {
      const path = archiveOf(`${tag}.tar`, version, Buffer.alloc(1000, tag));
      expect((await words(lab, `image import test/os:${tag} ${path}`)).code).toBe(0);
    }
    const { stdout, stderr } = await words(lab, "image diff test/os:1 test/os:2 --files");
    const lines = stdout.split("\n");
    expect(lines.slice(0, 5), stderr).toEqual([
      "PACKAGES  1 changed",
      "  ~ nginx 1.22 -> 1.24",
      "FILES     2 changed; content 6 MiB -> 6 MiB",
      "  ~ /usr/large",
      "  ~ /var/lib/dpkg/status",
    ]);
    const { transfer } = JSON.parse((await words(lab, "image diff test/os:1 test/os:2 -o json")).stdout);
    expect(transfer.contentBytes).toBe(1000 + status("1.24").length);
    expect(transfer.wireBytes).toBeLessThan(1000);
    expect(transfer.wholeBytes).toBeGreaterThan(6 << 20);
    expect((await words(lab, "image diff test/os:1 test/os:3")).code).toBe(3);

    // Whoever made an image may have put anything there.
    const strange = join(folder, "strange.tar");
    writeFileSync(strange, rawTar([{ name: "usr/lib/sysimage/rpm/rpmdb.sqlite", content: "no database" }]));
    expect((await words(lab, `image import test/os:4 ${strange}`)).code).toBe(0);
    const warned = await words(lab, "image diff test/os:1 test/os:4");
    expect(warned).toMatchObject({ code: 0, stdout: expect.stringMatching(/FILES {5}4 added, 6 removed/) });
    expect(warned.stderr).toMatch(/packages are not compared: usr.*rpmdb.sqlite of image test.os:4: .*does not begin/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
