import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TargetRoot } from "../system/target-root.ts";
import { makeSshKeys } from "./ssh-keys.ts";

let root: TargetRoot;
let state: string;
beforeEach(async () => {
  root = new TargetRoot(await mkdtemp(join(tmpdir(), "hps-ssh-")));
  state = join(root.path, "var/lib/hps");
  await mkdir(state, { recursive: true });
  await mkdir(join(root.path, "etc/ssh"), { recursive: true });
  await mkdir(join(root.path, "usr/sbin"), { recursive: true });
});
afterEach(() => rm(root.path, { recursive: true }));

const make = () => {
  const signal = new AbortController().signal;
  return makeSshKeys({ root, state, hostName: "web01", signal, log: () => undefined });
};

test("keys that came with the image are replaced by links to new ones on the state partition", async () => {
  await writeFile(join(root.path, "usr/sbin/sshd"), "");
  await writeFile(join(root.path, "etc/ssh/ssh_host_dsa_key"), "everybody's");
  await writeFile(join(root.path, "etc/ssh/ssh_host_rsa_key"), "everybody's");
  await writeFile(join(root.path, "etc/ssh/sshd_config"), "kept");
  expect(await make()).toMatch(/^256 SHA256:\S+ root@web01 \(ED25519\)$/);
  const names = ["rsa", "ecdsa", "ed25519"].flatMap((kind) => [`ssh_host_${kind}_key`, `ssh_host_${kind}_key.pub`]);
  expect((await readdir(join(root.path, "etc/ssh"))).toSorted()).toEqual([...names, "sshd_config"].toSorted());
  for (const name of names) expect(await readlink(join(root.path, "etc/ssh", name))).toBe(`/var/lib/hps/ssh/${name}`);
  const key = join(state, "ssh/ssh_host_ed25519_key");
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  const first = await readFile(key, "utf8");
  await make();
  expect(await readFile(key, "utf8")).not.toBe(first);
});

test("an image without an SSH server gets no keys, and keeps none", async () => {
  await writeFile(join(root.path, "etc/ssh/ssh_host_rsa_key"), "everybody's");
  expect(await make()).toBeUndefined();
  expect(await readdir(join(root.path, "etc/ssh"))).toEqual([]);
  expect(await readdir(state)).toEqual([]);
});
