import { expect, test } from "vitest";
import { GRUB_BOOT_IMAGE, GRUB_IMAGES, GRUB_IMAGES_FOLDER } from "./grub-images.ts";

test("an image finds its configuration on the disk it was started from, by nothing that differs between disks", () => {
  for (const { prefix, modules } of GRUB_IMAGES) {
    expect(prefix).toMatch(/^(\(,gpt1\))?\/hps$/);
    expect(new Set(modules).size).toBe(modules.length);
  }
});

test("where the tools image holds them is part of the contract between its builder and the agent", () => {
  expect(`${GRUB_IMAGES_FOLDER}/${GRUB_BOOT_IMAGE}`).toBe("/usr/lib/hps/grub/boot.img");
});
