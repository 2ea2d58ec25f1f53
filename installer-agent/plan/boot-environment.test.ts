import { expect, test } from "vitest";
import { type BootEnvironment, encodeBootEnvironment, parseBootEnvironment } from "./boot-environment.ts";

test("a copy is what GRUB's load_env reads", () => {
  const bytes = encodeBootEnvironment({ slot: "b", trial: { slot: "a", left: true } });
  expect(bytes.length).toBe(1024);
  expect(bytes.toString("latin1").replace(/#+$/, "")).toBe("# GRUB Environment Block\nslot=b\ntrial=a\ntries=1\n");
});

test("what is written is read", () => {
  const environments: BootEnvironment[] = [
    { slot: "none" },
    { slot: "a" },
    { slot: "a", trial: { slot: "b", left: true } },
    { slot: "b", trial: { slot: "a", left: false } },
  ];
  for (const one of environments) expect(parseBootEnvironment(encodeBootEnvironment(one))).toEqual(one);
});

test("what GRUB's save_env makes of it is read, and damage is named", () => {
  // save_env keeps the order and takes the difference from the padding.
  const saved = Buffer.from("# GRUB Environment Block\nslot=a\ntrial=b\ntries=0\nother=x\n".padEnd(1024, "#"));
  expect(parseBootEnvironment(saved)).toEqual({ slot: "a", trial: { slot: "b", left: false } });
  for (const bad of [saved.subarray(0, 1023), Buffer.alloc(1024), Buffer.from(saved).fill("\0", 0, 4)]) {
    expect(() => parseBootEnvironment(bad)).toThrow("cannot be read");
  }
  expect(() => parseBootEnvironment(Buffer.from(saved.toString().replace("slot=a", "slot=c")))).toThrow();
});
