import { expect, test } from "vitest";
import { parseMounts, readMounts, runsFromMemory } from "./mounts.ts";

test("mounts with their places as they are, also strange ones", () => {
  const text =
    "1 1 0:2 / / rw - rootfs rootfs rw\n" +
    "30 1 8:1 / /target/a\\040b\\134\\303\\251 rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n" +
    "garbage\n";
  expect(parseMounts(text)).toEqual([
    { device: "0:2", place: "/", type: "rootfs" },
    { device: "8:1", place: "/target/a b\\é", type: "ext4" },
  ]);
  expect(runsFromMemory(parseMounts(text))).toBe(true);
});

test("this machine, which runs from a disk, is not taken for an installer", async () => {
  expect(runsFromMemory(await readMounts())).toBe(false);
  expect(runsFromMemory([])).toBe(false);
});
