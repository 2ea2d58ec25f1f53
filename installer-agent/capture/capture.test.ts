import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { recordsOfArchive } from "../../proto/tree/compare/records-of-archive.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { walkTree } from "../../proto/tree/walk/walk-tree.ts";
import { OWNED_FILES } from "../plan/owned-files.ts";
import { type CaptureOrder, capture } from "./capture.ts";
import { SCRUB_LIST } from "./scrub-list.ts";

const KEPT = [
  "bin",
  "boot/vmlinuz-6.1",
  "etc/passwd",
  "etc/shadow",
  "etc/ssh/sshd_config",
  "etc/ssl/certs/ca.pem",
  "etc/wireguardx",
  "root/.ssh/authorized_keys",
  "usr/bin/tool",
  "var/cache/apt/archives/lock",
  "var/lib/dpkg/status",
  "usr/share/history",
  "srv/data/kept",
];

const GONE = [
  "boot/efi/EFI/x",
  "etc/fstab",
  "etc/machine-id",
  "etc/ssh/ssh_host_ed25519_key",
  "etc/ssh/ssh_host_ed25519_key.pub",
  "etc/ssl/private/server.key",
  "etc/openvpn/client/a.key",
  "etc/wireguard/wg0.conf",
  "home/lisa/.bash_history",
  "home/lisa/.cache/thing",
  "home/lisa/.config/hps/config.yaml",
  "home/lisa/deep/er/.ssh/id_rsa",
  "root/.ssh/id_ed25519",
  "run/lock",
  "tmp/x",
  "var/lib/dhcp/dhclient.leases",
  "var/lib/hps/identity/key.pem",
  "var/lib/systemd/random-seed",
  "var/log/journal/0123/system.journal",
  "var/log/nginx/access.log",
  "var/log/syslog",
  "srv/data/left",
];

async function captured(root: string, order: Partial<CaptureOrder> = {}) {
  const out = new PassThrough();
  const said: string[] = [];
  const whole = { root, exclude: [], mounts: [], whole: false, ...order };
  const [records] = await Promise.all([recordsOfArchive(out), capture(whole, out, (line) => void said.push(line))]);
  return { paths: [...records.keys()].map((path) => `${path}`), said };
}

function makeHost(root: string): void {
  for (const path of [...KEPT, ...GONE]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path === "bin") symlinkSync("usr/bin", join(root, path));
    else writeFileSync(join(root, path), "content");
  }
}

test("keys, ids, logs, leases and histories stay on the host; what was left out is said", async () => {
  using scratch = makeScratch();
  makeHost(scratch.path);
  const { paths, said } = await captured(scratch.path, { exclude: ["/srv/*/left"] });
  expect(KEPT.filter((path) => !paths.includes(path))).toEqual([]);
  expect(GONE.filter((path) => paths.includes(path))).toEqual([]);
  // What runs finds its folders.
  for (const folder of ["var/log/nginx", "var/lib/hps", "tmp", "etc/ssl/private"]) expect(paths).toContain(folder);
  expect(paths).not.toContain("var/log/journal/0123");
  expect(said).toContain("left out: what --exclude names (1)");
  expect(said).toContain("left out: logs and mail (2)");
  expect(said.length).toBe(SCRUB_LIST.length + 1);
});

test("all that an installation writes for its host alone is left out", () => {
  const paths = new Set(SCRUB_LIST.flatMap((rule) => rule.paths));
  const covered = (path: string) => paths.has(path) || paths.has(`${path}/**`);
  expect(OWNED_FILES.filter((path) => !covered(path))).toEqual([]);
});

test("the tree of a disk is taken as it is", async () => {
  using scratch = makeScratch();
  makeHost(scratch.path);
  const { paths, said } = await captured(scratch.path, { whole: true });
  expect([...KEPT, ...GONE].filter((path) => !paths.includes(path))).toEqual([]);
  expect(said).toEqual([]);
});

test("other file systems are named and entered where they belong to the tree", () => {
  const met: string[] = [];
  const enters = (path: string) => met.push(path) < 0;
  for (const _ of walkTree("/dev", { sameMount: true, live: true, enters }));
  expect(met).toContain("shm");
});
