import { HpsError } from "../values/hps-error.ts";

/*
 * `grub.efi` of the installer set: what a UEFI machine that boots from the network first is sent to find its own disk by. hpsd puts
 * the volume id of that host's ESP in the place of a placeholder of the same length, so one image serves every host.
 */

/** Stands where the volume id goes; nine characters, as `1A2B-3C4D`. */
export const ESP_PLACEHOLDER = "HPS0-ESP0";

/** What the disk's own GRUB is called, seen from the root of the ESP. */
export const ESP_LOADER = "/EFI/hps/grubx64.efi";

/**
 * The configuration embedded in it (`grub-mkimage --config`). GRUB reads it line by line and goes on after one that failed, so what
 * follows `boot` is what happens when nothing booted: it says so and returns to iPXE, whose script goes on. No `normal`, no menu.
 */
export const LOCAL_BOOT_CONFIG = `set esp=${ESP_PLACEHOLDER}
search.fs_uuid $esp root
chainloader ($root)${ESP_LOADER}
boot
echo "HPS: no disk here has the boot loader that HPS installed (file system $esp)"
exit
`;

/** The modules it needs; `grub-mkimage` adds what these need. */
export const LOCAL_BOOT_MODULES = ["part_gpt", "fat", "search_fs_uuid", "chain", "boot", "echo", "minicmd"] as const;

const VOLUME_ID = /^[0-9A-F]{4}-[0-9A-F]{4}$/;

/** The image for the host whose ESP has this volume id, byte for byte as long. `data-loss` unless the placeholder is in it exactly once. */
export function withEspVolume(image: Uint8Array, volumeId: string): Buffer {
  if (!VOLUME_ID.test(volumeId)) throw new HpsError("internal", "not a FAT volume id");
  const made = Buffer.from(image);
  const at = made.indexOf(ESP_PLACEHOLDER, 0, "latin1");
  if (at === -1 || made.includes(ESP_PLACEHOLDER, at + 1, "latin1")) {
    throw new HpsError("data-loss", `grub.efi has ${at === -1 ? "no" : "more than one"} place for a volume id`, {
      hint: "build the installer anew: hpsctl installer-image build, then import it",
    });
  }
  made.write(volumeId, at, "latin1");
  return made;
}
