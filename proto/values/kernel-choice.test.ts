import { expect, test } from "vitest";
import { chooseKernel } from "./kernel-choice.ts";

const links = (target: string) => [{ path: "/vmlinuz", target }];
const boot = (...versions: string[]) => versions.flatMap((v) => [`vmlinuz-${v}`, `initrd.img-${v}`, `config-${v}`]);

test("the kernel that the image's link names is taken, wherever the link claims it is", () => {
  const files = boot("6.1.0-9-amd64", "6.1.0-10-amd64");
  for (const target of ["boot/vmlinuz-6.1.0-9-amd64", "/boot/vmlinuz-6.1.0-9-amd64", "../../x/vmlinuz-6.1.0-9-amd64"]) {
    expect(chooseKernel({ files, links: links(target) })).toEqual({
      kernel: "vmlinuz-6.1.0-9-amd64",
      initrd: "initrd.img-6.1.0-9-amd64",
      version: "6.1.0-9-amd64",
      why: "the image's /vmlinuz names it",
    });
  }
});

test("else the newest, with numbers compared as numbers, and it is said", () => {
  const files = boot("6.1.0-9-amd64", "6.1.0-10-amd64", "5.10.0-99-amd64");
  const { kernel, why } = chooseKernel({ files, links: links("boot/vmlinuz-7") });
  expect(kernel).toBe("vmlinuz-6.1.0-10-amd64");
  expect(why).toBe("it is the newest of 3, and no link of the image names one");
  expect(chooseKernel({ files: boot("6.1.0-9-amd64"), links: [] }).why).toBe("it is the only one");
});

test("the names of other distributions; what is kept beside the kernel is none", () => {
  const fedora = [
    "vmlinuz-6.5.6-300.fc39.x86_64",
    "initramfs-6.5.6-300.fc39.x86_64.img",
    "vmlinuz-0-rescue-abc",
    "grub2",
  ];
  expect(chooseKernel({ files: fedora, links: [] })).toMatchObject({ initrd: "initramfs-6.5.6-300.fc39.x86_64.img" });
  const arch = ["vmlinuz-linux", "initramfs-linux.img", "initramfs-linux-fallback.img"];
  expect(chooseKernel({ files: arch, links: [] })).toMatchObject({
    kernel: "vmlinuz-linux",
    initrd: "initramfs-linux.img",
  });
  const plain = ["vmlinuz", "initrd.img", "vmlinuz-6.1.old"];
  expect(chooseKernel({ files: plain, links: [] })).toMatchObject({
    kernel: "vmlinuz",
    initrd: "initrd.img",
    version: "",
  });
});

test("without a kernel, or without the initrd of the one that is meant, it is refused in words", () => {
  expect(() => chooseKernel({ files: ["grub"], links: links("boot/vmlinuz-6") })).toThrow("no kernel in /boot");
  expect(() => chooseKernel({ files: ["vmlinuz-6.2", ...boot("6.1")], links: [] })).toThrow(
    'no initrd for the kernel "vmlinuz-6.2"',
  );
  expect(() => chooseKernel({ files: ["vmlinuz-6.1.dpkg-new", "vmlinuz-6.1.old"], links: [] })).toThrow("no kernel");
});
