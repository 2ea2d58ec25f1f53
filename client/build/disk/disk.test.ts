import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { makeScratch } from "../../../proto/tree/testing/scratch.ts";
import { diskFormat } from "./disk-format.ts";
import { diskTree } from "./read-disk.ts";
import { readerArguments } from "./reader-plan.ts";

function qcow2({ version = 3, backing = 0n, features = 0n } = {}): Buffer {
  const head = Buffer.alloc(104);
  head.writeUInt32BE(0x5146_49fb, 0);
  head.writeUInt32BE(version, 4);
  head.writeBigUInt64BE(backing, 8);
  head.writeBigUInt64BE(features, 72);
  return head;
}

test.each([
  ["raw", Buffer.alloc(512), "raw"],
  ["qcow2", qcow2(), "qcow2"],
  ["qcow2, older", qcow2({ version: 2, features: 4n }), "qcow2"],
] as const)("a disk is what its first bytes say: %s", (_, head, format) => {
  using scratch = makeScratch();
  writeFileSync(scratch.under("disk"), head);
  expect(diskFormat(scratch.under("disk"))).toBe(format);
});

test.each([
  ["another file below it", qcow2({ backing: 300n }), "denied"],
  ["its data in another file", qcow2({ features: 4n }), "denied"],
  ["a version nobody knows", qcow2({ version: 9 }), "unimplemented"],
])("a qcow2 with %s is refused: its maker would choose what is read here", (_, head, code) => {
  using scratch = makeScratch();
  writeFileSync(scratch.under("disk"), head);
  expect(() => diskFormat(scratch.under("disk"))).toThrow(expect.objectContaining({ code }));
});

test("the machine has the disk, two ports and no network; no path ends a value of QEMU's", () => {
  const files = { disk: "/a,b=c", kernel: "/k", initrd: "/i", console: "/c" };
  const words = readerArguments({ ...files, format: "raw", accelerator: "tcg", partition: 3 });
  expect(words).toContain("file=/a,,b=c,format=raw,if=none,id=disk,snapshot=on");
  expect(words.filter((word) => /netdev|^-nic|^-net/.test(word))).toEqual([]);
  expect(words.at(words.indexOf("-append") + 1)).toMatch(/ hps\.partition=3$/);
});

test("without QEMU it says what to install, without a set what to build", async () => {
  using scratch = makeScratch();
  writeFileSync(scratch.under("disk"), "");
  mkdirSync(scratch.under("set"));
  const read = async () => {
    const order = { disk: scratch.under("disk"), installer: scratch.under("set"), say: () => undefined };
    const environment = { PATH: scratch.path, TMPDIR: scratch.path };
    for await (const _ of diskTree({ ...order, environment, signal: new AbortController().signal }));
  };
  await expect(read()).rejects.toThrow("is no installer set");
  writeFileSync(scratch.under("set/initrd.img"), "initrd");
  await expect(read()).rejects.toMatchObject({ code: "precondition", hint: "apt-get install qemu-system-x86" });
});
