import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TargetRoot } from "./target-root.ts";

let folder: string;
let root: TargetRoot;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-target-"));
  await mkdir(join(folder, "target/etc"), { recursive: true });
  root = new TargetRoot(join(folder, "target"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a file is written with its mode in the place of a file or a link, and its folder keeps its time", async () => {
  await writeFile(join(folder, "outside"), "safe");
  await symlink("../../outside", join(root.path, "etc/hostname"));
  await utimes(join(root.path, "etc"), 1_000_000_000, 1_000_000_000.25);
  await root.write("etc/hostname", "web01\n");
  await root.write("etc/key", "x", 0o600);
  expect(await readFile(join(folder, "outside"), "utf8")).toBe("safe");
  expect((await lstat(join(root.path, "etc/hostname"))).mode & 0o170777).toBe(0o100644);
  expect((await stat(join(root.path, "etc/key"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(root.path, "etc"))).mtimeMs).toBe(1_000_000_000_250);
});

test("a link of the image on the way is not followed: what is behind it is not there, and not written", async () => {
  await mkdir(join(folder, "elsewhere"));
  await writeFile(join(folder, "elsewhere/file"), "x");
  await symlink(join(folder, "elsewhere"), join(root.path, "etc/systemd"));
  expect(await root.kind("etc/systemd")).toBe("link");
  expect(await root.kind("etc/systemd/file")).toBe("nothing");
  expect(await root.text("etc/systemd/file")).toBeUndefined();
  expect(await root.list("etc/systemd")).toEqual([]);
  await expect(root.write("etc/systemd/new", "x")).rejects.toThrow('a link at "/etc/systemd"');
  await expect(root.link("etc/systemd/system/new", "x")).rejects.toThrow('a link at "/etc/systemd"');
  expect(await new TargetRoot(join(folder, "elsewhere")).list(".").catch(() => "refused")).toBe("refused");
});

test("a folder in the place of a file, and a file in that of a folder, are refused in words", async () => {
  await mkdir(join(root.path, "etc/hosts"));
  await writeFile(join(root.path, "etc/network"), "");
  await expect(root.write("etc/hosts", "")).rejects.toThrow('a folder at "/etc/hosts"');
  await expect(root.remove("etc/hosts")).rejects.toThrow('a folder at "/etc/hosts"');
  await expect(root.write("etc/network/a", "")).rejects.toThrow('a file at "/etc/network"');
});

test("links are made and told as text, what a cut left behind is no hindrance, removing twice is well", async () => {
  await writeFile(join(root.path, "etc/fstab.hps-new"), "torn");
  await root.write("etc/fstab", "whole");
  await root.link("etc/ssh/key", "/var/lib/hps/ssh/key");
  await root.link("etc/ssh/key", "/var/lib/hps/ssh/other");
  expect(await readlink(join(root.path, "etc/ssh/key"))).toBe("/var/lib/hps/ssh/other");
  expect(await root.linkText("etc/ssh/key")).toBe("/var/lib/hps/ssh/other");
  expect(await root.list("etc")).toEqual(["fstab", "ssh"]);
  expect(await root.has("etc/x", "etc/ssh/key")).toBe(true);
  await root.remove("etc/fstab");
  await root.remove("etc/fstab");
  expect(await root.kind("etc/fstab")).toBe("nothing");
});

test("paths that climb are our own mistake", async () => {
  for (const path of ["../x", "/etc/x", "etc/../../x", "etc//x", ""]) {
    await expect(root.write(path, "x")).rejects.toThrow();
  }
  await chmod(join(root.path, "etc"), 0o755);
});
