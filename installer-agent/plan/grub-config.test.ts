import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { grubConfig, slotConfig, slotImage } from "./grub-config.ts";
import { grubWord } from "./grub-word.ts";

const bootA = "0a0a0a0a-1111-8222-8333-444444444444";
const bootB = "0b0b0b0b-1111-8222-8333-444444444444";

/** GRUB's own parser: throws for what is no script. */
const check = (script: string) => execFileSync("grub-script-check", { input: script, timeout: 10_000 });

test("grub.cfg is a script for GRUB, with a serial line and without", () => {
  const plain = grubConfig({ bootA, bootB });
  const serial = grubConfig({ bootA, bootB, serial: { unit: 1, speed: 57_600 } });
  for (const text of [plain, serial]) check(text);
  expect(plain).not.toContain("serial");
  expect(serial).toContain("if serial --unit=1 --speed=57600; then");
  expect(plain).toContain(`hps_start b '${bootB}'`);
});

test("slot.cfg loads the kernel and its initrd, or says that it did not", () => {
  const text = slotConfig({ kernel: "/vmlinuz-6.1", initrd: "/initrd.img-6.1", arguments: ["ro", "it's=$x"] });
  check(text);
  expect(text).toBe(`# Written by HPS: what this slot starts.
if linux '/vmlinuz-6.1' 'ro' 'it'\\''s=$x'; then
  if initrd '/initrd.img-6.1'; then
    set hps_loaded=yes
  fi
fi
`);
});

test("slot.cfg says from which image its slot is, and GRUB reads over it", () => {
  const image = "0123456789abcdef".repeat(4);
  const start = { kernel: "/vmlinuz-6.1", initrd: "/initrd.img-6.1", arguments: ["ro"] };
  const text = slotConfig({ ...start, image });
  check(text);
  expect(slotImage(text)).toBe(image);
  expect(slotImage(slotConfig(start))).toBeUndefined();
  expect(slotImage(text.replace(image, `${image}; reboot`))).toBeUndefined();
  expect(text.replace(/^# From.*\n/m, "")).toBe(slotConfig(start));
});

test("a word means its text and nothing else", () => {
  const random = () => String.fromCharCode(0x20 + Math.floor(Math.random() * 0x5f));
  const words = Array.from({ length: 300 }, () => Array.from({ length: 12 }, random).join(""));
  for (const special of ["", "'", "''", "\\", "\\'", "$(reboot)", "a;b", "{", "}", "`", '"', "#", "*", "\\x27"]) {
    words.push(special);
  }
  check(words.map((word) => `linux ${grubWord(word)}\n`).join(""));
  // GRUB's quotes are the shell's as far as grubWord uses them: there the words can be had back.
  const script = `for word in ${words.map(grubWord).join(" ")}; do printf '%s\\n' "$word"; done`;
  expect(execFileSync("sh", ["-c", script], { timeout: 10_000 }).toString()).toBe(`${words.join("\n")}\n`);
});

test("what GRUB would not hand on unchanged is refused", () => {
  for (const text of ["a\nb", "\0", "\x7f", "é", "a\tb"]) expect(() => grubWord(text)).toThrow("cannot be told");
});
