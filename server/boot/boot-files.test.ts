import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LOCAL_BOOT_CONFIG, withEspVolume } from "../../proto/config/local-boot.ts";
import { espVolumeId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { type GateRig, OTHER_MAC, refusalCount } from "../core/gate/testing.ts";
import { KERNEL, LOOPBACK, openDoor } from "./testing.ts";

test("files: those it has a name for, whole, for known machines; nothing outside its folder", async () => {
  await using door = await openDoor();
  const kernel = await door.ask("/boot/v1/files/kernel");
  expect(kernel).toMatchObject({ status: 200, headers: { "content-length": String(KERNEL.length) } });
  expect(kernel.body.equals(KERNEL)).toBe(true);
  const head = await door.ask("/boot/v1/files/kernel", { method: "HEAD" });
  expect(head).toMatchObject({ status: 200, headers: { "content-length": String(KERNEL.length) } });
  expect(head.body).toHaveLength(0);
  const missing = await door.ask("/boot/v1/files/initrd.img");
  expect(missing.status).toBe(404);
  expect(missing.body.toString()).not.toContain(tmpdir());
  const outside = ["../secret", "..%2fsecret", "%2e%2e/secret", "./kernel", "kernel/", "kernel%00", "/etc/passwd", ""];
  for (const path of [...outside, "tools.squashfs", "undionly.kpxe"]) {
    const reply = await door.ask(`/boot/v1/files/${path}`);
    expect(reply.status, path).toBe(404);
    expect(reply.body.toString()).not.toMatch(/secret|root:/);
  }
  door.rig.lease(OTHER_MAC, LOOPBACK);
  expect((await door.ask("/boot/v1/files/kernel")).status).toBe(403);
  expect(await refusalCount(door.rig)).toBe(1);
});

test("what UEFI loads first is called what it takes for a program", async () => {
  await using door = await openDoor();
  await writeFile(join(door.files, "ipxe.efi"), "MZ");
  for (const method of ["HEAD", "GET"]) {
    const reply = await door.ask("/boot/v1/files/ipxe.efi", { method, agent: "UefiHttpBoot/1.0" });
    expect(reply).toMatchObject({ status: 200, headers: { "content-type": "application/efi", "content-length": "2" } });
  }
});

async function through(rig: GateRig, id: string, ...events: readonly ("enrol" | "finish" | "report")[]): Promise<void> {
  for (const event of events) {
    await rig.store.write(async (tx) => void (await rig.core.installations.apply(tx, id, event, { actor: "test" })));
  }
}

test("the loader of the local disk bears the volume id of the installation that wrote it, and none before", async () => {
  await using door = await openDoor();
  const image = Buffer.concat([Buffer.alloc(9_000, 1), Buffer.from(LOCAL_BOOT_CONFIG), Buffer.alloc(100)]);
  await writeFile(join(door.files, "grub.efi"), image);
  const grub = () => door.ask("/boot/v1/files/grub.efi");
  const made = (id: string) => withEspVolume(image, espVolumeId(parseUuid(id)));
  expect(await grub()).toMatchObject({ status: 403 });

  const first = await door.rig.arm();
  expect(await grub()).toMatchObject({ status: 403 });
  await through(door.rig, first, "enrol", "finish");
  expect((await grub()).body.equals(made(first))).toBe(true);
  await through(door.rig, first, "report");
  expect((await grub()).body.equals(made(first))).toBe(true);

  const second = await door.rig.arm();
  expect(await grub()).toMatchObject({ status: 403 }); // it is to boot the installer now
  await through(door.rig, second, "enrol", "finish", "report");
  expect((await grub()).body.equals(made(second))).toBe(true);
  expect(made(first).equals(made(second))).toBe(false);
});

test("an image with no place for the volume id is served to nobody", async () => {
  await using door = await openDoor();
  await writeFile(join(door.files, "grub.efi"), "MZ of another GRUB");
  await through(door.rig, await door.rig.arm(), "enrol", "finish");
  const reply = await door.ask("/boot/v1/files/grub.efi", { agent: "iPXE/1.0.0" });
  expect(reply.status).toBe(507);
  expect(reply.body.toString()).toContain("grub.efi has no place");
});

test("kernel and archives, the firmware where there is any, and the claim last", async () => {
  await using door = await openDoor();
  await door.rig.arm();
  const script = async () =>
    (await door.ask("/boot/v1/ipxe?mac=52:54:00:00:00:01", { agent: "iPXE/1.0.0" })).body.toString();
  const names = (text: string) => [...text.matchAll(/^initrd --name (\S+)/gm)].map(([, name]) => name);
  expect(names(await script())).toEqual(["initrd.img", "claim.img"]);
  await writeFile(join(door.files, "firmware.img"), "cpio");
  const text = await script();
  expect(names(text)).toEqual(["initrd.img", "firmware.img", "claim.img"]);
  expect(text).toContain(
    "initrd=initrd.img initrd=firmware.img initrd=claim.img hps.boot=http://10.0.0.1:7080 hps.mac=52:54:00:00:00:01 quiet ||",
  );
  expect(await door.ask("/boot/v1/files/firmware.img")).toMatchObject({ status: 200 });
});
