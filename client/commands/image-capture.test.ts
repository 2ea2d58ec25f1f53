import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { uploadLibrary } from "../image/testing/upload-library.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { runningHost } from "../testing/running-host.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "image-capture-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A host, this machine, whose agent is `program`. */
async function host(program: string) {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "hps-agent"), `#!/bin/sh\n${program}\n`);
  chmodSync(join(bin, "hps-agent"), 0o755);
  const { uploadImage, images } = uploadLibrary();
  const { openSession, started } = runningHost(folder, `${bin}:/usr/bin:/bin`);
  const hosts = hostReaders([testHost(1, { cluster: "other", name: "web01" })]);
  const server = await start({ images: { uploadImage }, shells: { openSession }, hosts });
  const environment = { ...server.environment, HOME: folder, TMPDIR: folder };
  return {
    images,
    started,
    capture: (...words: readonly string[]) => hpsctl({ environment }, ["image", "capture", ...words]),
  };
}

/** A system's tree below the test's folder. */
function makeTree(files: readonly string[]): string {
  const root = join(folder, "root");
  for (const path of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), "content");
  }
  return root;
}

test("a host's tree, as its agent gives it, is an image of the host's own cluster", async () => {
  const agent = join(import.meta.dirname, "../../installer-agent/main.ts");
  const root = makeTree(["etc/passwd", "etc/machine-id", "etc/ssh/ssh_host_rsa_key", "srv/data/x", "var/log/syslog"]);
  const { images, started, capture } = await host(`exec ${process.execPath} ${agent} "$@" --root ${root}`);
  const words = ["other/web01", "debian/web:golden", "--exclude", "srv/data/**", "--reason", "golden"];
  const { code, err } = await capture(...words);
  expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining("left out: who this machine is (2)\n") });
  expect(err).toContain("it keeps the host's users with their password hashes");
  const [image] = images;
  expect(image?.begin).toMatchObject({ cluster: "other", name: "debian/web:golden" });
  expect(image?.manifest.entries.map(({ path }) => `${path}`)).toEqual([
    "",
    "etc",
    "etc/passwd",
    "etc/ssh",
    "srv",
    "srv/data",
    "var",
    "var/log",
  ]);
  expect(started).toMatchObject([{ host: "other/web01", reason: "golden" }]);
});

test("the shared library takes no host's tree", async () => {
  const { images, started, capture } = await host("exit 0");
  const { code, err } = await capture("other/web01", "shared/web:golden");
  expect({ code, err }).toMatchObject({ code: 4, err: expect.stringContaining("the shared library to all") });
  expect([images, started]).toEqual([[], []]);
});

test.each([
  [
    "echo 'cannot read the tree: the disk is gone' >&2; exit 8",
    "was not captured: cannot read the tree: the disk is gone",
  ],
  ["echo \"error: unknown command 'capture'\" >&2; exit 1", "is older than this: it cannot capture"],
  ["exit 127", "no agent where an installed host keeps it"],
  ["printf half", "before its end mark"],
])("a capture that fails imports nothing: %s", async (program, says) => {
  const { images, capture } = await host(program);
  const { code, err } = await capture("other/web01", "debian/web:golden");
  expect({ code: code > 0, err }).toMatchObject({ code: true, err: expect.stringContaining(says) });
  expect(images).toEqual([]);
});
