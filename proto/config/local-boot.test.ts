import { expect, test } from "vitest";
import { espVolumeId } from "../values/layout-ids.ts";
import { parseUuid } from "../values/uuid.ts";
import { ESP_LOADER, ESP_PLACEHOLDER, LOCAL_BOOT_CONFIG, LOCAL_BOOT_MODULES, withEspVolume } from "./local-boot.ts";

const VOLUME = espVolumeId(parseUuid("0190c2a0-0000-7000-8000-000000000001"));
const image = (config: string) => Buffer.concat([Buffer.alloc(5000, 0xff), Buffer.from(config), Buffer.alloc(3000, 7)]);

test("the image for a host differs in the volume id alone, and is as long", () => {
  const before = image(LOCAL_BOOT_CONFIG);
  const after = withEspVolume(before, VOLUME);
  expect(after).toEqual(image(LOCAL_BOOT_CONFIG.replace(ESP_PLACEHOLDER, VOLUME)));
  expect(after.length).toBe(before.length);
  expect(before).toEqual(image(LOCAL_BOOT_CONFIG)); // the one given is as it was
});

test("an image with no place, or with two, is refused: it would boot another's disk", () => {
  expect(() => withEspVolume(image(""), VOLUME)).toThrow(/no place/);
  expect(() => withEspVolume(image(LOCAL_BOOT_CONFIG.repeat(2)), VOLUME)).toThrow(/more than one/);
  expect(() => withEspVolume(image(LOCAL_BOOT_CONFIG), "1a2b-3c4")).toThrow(/volume id/);
});

test("the configuration chains the disk's own loader, with commands of its modules", () => {
  expect(LOCAL_BOOT_CONFIG).toContain(`($root)${ESP_LOADER}\n`);
  const commands = LOCAL_BOOT_CONFIG.trim()
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "");
  const modules: Readonly<Record<string, string>> = {
    ...{ "search.fs_uuid": "search_fs_uuid", chainloader: "chain", boot: "boot", echo: "echo", exit: "minicmd" },
  };
  const needed = commands.filter((command) => command !== "set").map((command) => modules[command]);
  expect(LOCAL_BOOT_MODULES).toEqual(expect.arrayContaining(needed));
});
