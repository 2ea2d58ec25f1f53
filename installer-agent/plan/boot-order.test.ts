import { expect, test } from "vitest";
import { parseUuid } from "../../proto/values/uuid.ts";
import { networkEntry, planBootOrder } from "./boot-order.ts";
import { encodeLoadOption, parseLoadOption } from "./efi-load-option.ts";

const esp = { number: 1, start: 2048, sectors: 1_048_576, id: parseUuid("7c3d8a90-1b2c-8d3e-9f40-515263748596") };
const other = { ...esp, id: parseUuid("00112233-4455-8677-8899-aabbccddeeff") };
const LOADER = "\\EFI\\hps\\grubx64.efi";
const ours = encodeLoadOption("HPS", esp, LOADER);

/** An entry with these device path nodes, as TYPE/SUBTYPE or TYPE/SUBTYPE/hex data. */
function entry(description: string, ...nodes: string[]): Buffer {
  const path = nodes.concat("127/255").map((text) => {
    const [type, subtype, hex = ""] = text.split("/");
    const data = Buffer.from(hex, "hex");
    return Buffer.concat([Buffer.from([Number(type), Number(subtype), data.length + 4, 0]), data]);
  });
  const header = Buffer.alloc(6);
  header.writeUInt32LE(1, 0);
  header.writeUInt16LE(Buffer.concat(path).length, 4);
  return Buffer.concat([header, Buffer.from(`${description}\0`, "utf16le"), ...path]);
}

const PCI = ["2/1/d041030a00000000", "1/1/0003"];
const PXE = entry(
  "UEFI PXEv4 (MAC:525400123456)",
  ...PCI,
  `3/11/525400123456${"00".repeat(26)}01`,
  `3/12/${"00".repeat(23)}`,
);
const DVD = entry("UEFI QEMU DVD-ROM QM00005", ...PCI, "3/18/0200ffff0000");
const SHELL = entry(
  "EFI Internal Shell",
  `4/7/${"c9bdb87cebf8344faaea3ee4af6516a1"}`,
  `4/6/${"83a5047c3e9e1c4fad65e05268d0b4d1"}`,
);
const debian = encodeLoadOption("debian", other, "\\EFI\\debian\\shimx64.efi");

test("an entry is the bytes that UEFI 2.10 has for a file on a partition (§3.1.3, §10.3.5)", () => {
  expect(ours.toString("hex")).toBe(
    [
      "01000000", // active
      "5c00", // 92 bytes of device path
      "480050005300" + "0000", // HPS
      "04012a00" + "01000000" + "0008000000000000" + "0000100000000000", // HD(1, 2048, 1048576,
      "908a3d7c2c1b3e8d9f40515263748596" + "0202", // GPT, its GUID)
      `04042e00${Buffer.from(`${LOADER}\0`, "utf16le").toString("hex")}`,
      "7fff0400",
    ].join(""),
  );
  expect(parseLoadOption(ours)).toEqual({ description: "HPS", file: LOADER, network: false, builtIn: false });
});

test("a new entry goes right behind the network where that is first, before disks that may start something too; else last", () => {
  const entries = new Map([
    [0, PXE],
    [1, DVD],
    [3, debian],
    [4, PXE],
  ]);
  const plan = planBootOrder({ order: [0, 4, 3, 1], entries }, esp);
  expect(plan).toEqual({ entry: { number: 2, value: ours }, order: [0, 4, 2, 3, 1], remove: [] });
  expect(planBootOrder({ order: [3, 0, 4, 1], entries }, esp).order).toEqual([3, 0, 4, 1, 2]);
  expect(planBootOrder({ order: [4, 0], entries }, esp).order).toEqual([4, 0, 2]);
  const menu = new Map([...entries, [9, SHELL]]);
  expect(planBootOrder({ order: [9, 4, 0, 3], entries: menu }, esp).order).toEqual([9, 4, 0, 2, 3]);
});

test("only what the firmware itself holds comes after it: an EFI shell never ends", () => {
  const entries = new Map([
    [0, SHELL],
    [1, PXE],
    [2, SHELL],
  ]);
  expect(planBootOrder({ order: [0, 1, 2], entries }, esp).order).toEqual([0, 1, 3, 2]);
  expect(planBootOrder({ order: [2], entries }, esp).order).toEqual([3, 2]);
  expect(planBootOrder({ order: [], entries: new Map() }, esp)).toMatchObject({ entry: { number: 0 }, order: [0] });
});

test("the next installation takes the entry and the place of the one before, and leaves no second", () => {
  const before = encodeLoadOption("HPS", other, LOADER.toUpperCase());
  const entries = new Map([
    [0, PXE],
    [4, before],
    [7, before],
    [9, encodeLoadOption("HPS", other, "\\EFI\\own\\tool.efi")],
  ]);
  const plan = planBootOrder({ order: [7, 0, 4, 9], entries }, esp);
  expect(plan).toEqual({ entry: { number: 7, value: ours }, order: [7, 0, 9], remove: [4] });
  const out = planBootOrder(
    {
      order: [0],
      entries: new Map([
        [0, PXE],
        [4, before],
      ]),
    },
    esp,
  );
  expect(out).toEqual({ entry: { number: 4, value: ours }, order: [0, 4], remove: [] });
});

test("where all is as it should be, nothing is written", () => {
  const entries = new Map([
    [0, PXE],
    [5, ours],
  ]);
  expect(planBootOrder({ order: [0, 5], entries }, esp)).toEqual({ remove: [] });
});

test("the entry to boot from the network is the first of that kind in the order", () => {
  const http = entry("UEFI HTTPv4", ...PCI, "3/24/");
  const entries = new Map([
    [0, DVD],
    [1, http],
    [2, PXE],
    [3, PXE],
  ]);
  expect(networkEntry({ order: [9, 0, 2, 1], entries })).toBe(2);
  expect(networkEntry({ order: [0, 1], entries })).toBe(1);
  expect(networkEntry({ order: [0], entries })).toBeUndefined();
});

test("whatever a firmware keeps in such a variable is read without harm", () => {
  expect(parseLoadOption(Buffer.alloc(0))).toBeUndefined();
  expect(parseLoadOption(Buffer.from("0100000000004100", "hex"))).toBeUndefined();
  for (let round = 0; round < 2000; round += 1) {
    const bytes = Buffer.from(round % 2 === 0 ? ours : PXE);
    for (let change = 0; change < 4; change += 1) bytes[Math.floor(Math.random() * bytes.length)] = Math.random() * 256;
    const cut = bytes.subarray(0, Math.floor(Math.random() * (bytes.length + 1)));
    expect(() => planBootOrder({ order: [0], entries: new Map([[0, cut]]) }, esp)).not.toThrow();
  }
});
