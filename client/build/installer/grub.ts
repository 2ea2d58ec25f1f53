import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GRUB_BOOT_IMAGE, GRUB_IMAGES, GRUB_IMAGES_FOLDER, type GrubImage } from "../../../proto/config/grub-images.ts";
import { LOCAL_BOOT_CONFIG, LOCAL_BOOT_MODULES } from "../../../proto/config/local-boot.ts";
import { unpackedCommand } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import { copy, type StagedFile } from "./staged-file.ts";
import type { Unpacked } from "./unpacked.ts";

export interface GrubOptions {
  readonly unpacked: Unpacked;
  readonly place: ProgramPlace;
  readonly work: string;
}

type Image = Pick<GrubImage, "format" | "prefix" | "modules">;

/** Where GRUB's modules of a kind of firmware are. */
const PLATFORMS = { "i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin" } as const;

/** What the step `bootloader` puts on a disk, as files of the tools image (whose root is /usr). */
export async function grubTools(options: GrubOptions): Promise<readonly StagedFile[]> {
  const folder = GRUB_IMAGES_FOLDER.replace(/^\/usr\//, "");
  const files: StagedFile[] = [];
  for (const image of GRUB_IMAGES) {
    const made = join(options.work, image.file);
    await makeImage(made, image, options);
    files.push(copy(`${folder}/${image.file}`, made));
  }
  const boot = options.unpacked.need(`usr/lib/grub/i386-pc/${GRUB_BOOT_IMAGE}`);
  return [...files, copy(`${folder}/${GRUB_BOOT_IMAGE}`, boot)];
}

/** `grub.efi`: what a UEFI machine that boots from the network is sent to find its own disk by. */
export async function localBootImage(path: string, options: GrubOptions): Promise<void> {
  const config = join(options.work, "local-boot.cfg");
  await writeFile(config, LOCAL_BOOT_CONFIG);
  const image = { format: "x86_64-efi", prefix: "/hps", modules: LOCAL_BOOT_MODULES } as const;
  await makeImage(path, image, options, ["--config", config]);
}

async function makeImage(
  path: string,
  image: Image,
  options: GrubOptions,
  more: readonly string[] = [],
): Promise<void> {
  const { format, prefix, modules } = image;
  const { unpacked, place } = options;
  await mkdir(dirname(path), { recursive: true });
  const command = unpackedCommand("usr/bin/grub-mkimage", unpacked);
  const from = join(unpacked.root(PLATFORMS[format]), "usr/lib/grub", format);
  const words = ["--directory", from, "--format", format, "--prefix", prefix, "--output", path, ...more, ...modules];
  await runProgram([...command, ...words], place);
}
