import { expect, test } from "vitest";
import { GRUB_IMAGES } from "./grub-images.ts";

test("an image finds its configuration on the disk it was started from, by nothing that differs between disks", () => {
  for (const { prefix, modules } of GRUB_IMAGES) {
    expect(prefix).toMatch(/^(\(,gpt1\))?\/hps$/);
    expect(new Set(modules).size).toBe(modules.length);
  }
});
