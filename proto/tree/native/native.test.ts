import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { byteStringOf } from "../byte-string.ts";
import { makeScratch, run } from "../testing/scratch.ts";
import { CallError } from "./call-error.ts";
import { blockDeviceSize, dataSegments, rereadPartitions, syncFileSystem, tryLock } from "./files.ts";
import { NATIVE_FILE, nativeFilePath } from "./library.ts";
import {
  createFile,
  deviceParts,
  makeDevice,
  makeDirectory,
  makeHardLink,
  makeSymlink,
  openBeneath,
  openDirectoryBeneath,
  removeEmptyDirectory,
  removeName,
  setTimes,
} from "./paths.ts";
import { getXattr, listXattrs, setFileXattr, setXattr } from "./xattrs.ts";

const name = byteStringOf;

function openScratch() {
  const scratch = makeScratch();
  const fd = openSync(scratch.path, "r");
  return {
    ...scratch,
    fd,
    [Symbol.dispose]: () => {
      closeSync(fd);
      scratch[Symbol.dispose]();
    },
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return "none";
  } catch (error) {
    return error instanceof CallError ? error.code : String(error);
  }
}

describe("names below an open folder", () => {
  test("do not leave it and follow no link", () => {
    using folder = openScratch();
    makeDirectory(folder.fd, name("sub"), 0o755);
    makeSymlink(name("sub"), folder.fd, name("inside"));
    makeSymlink(name("/etc"), folder.fd, name("outside"));
    const open = (path: string) => codeOf(() => closeSync(openDirectoryBeneath(folder.fd, name(path))));
    expect(open("sub")).toBe("none");
    expect(open("..")).toBe("EXDEV");
    expect(open("sub/../..")).toBe("EXDEV");
    expect(open("/etc")).toBe("EXDEV");
    expect(open("inside")).toBe("ELOOP");
    expect(open("outside")).toBe("ELOOP");
    expect(open("none")).toBe("ENOENT");
    const proc = openSync("/proc/self", "r");
    expect(codeOf(() => openBeneath(proc, name("exe"), { flags: constants.O_RDONLY }))).toBe("ELOOP");
    closeSync(proc);
  });

  test("are made, linked, removed", () => {
    using folder = openScratch();
    closeSync(createFile(folder.fd, name("file"), 0o600));
    expect(codeOf(() => createFile(folder.fd, name("file"), 0o600))).toBe("EEXIST");
    makeSymlink(name("no\\where"), folder.fd, name("link"));
    expect(codeOf(() => createFile(folder.fd, name("link"), 0o600))).toBe("EEXIST");
    makeHardLink(folder.fd, name("link"), folder.fd, name("link2"));
    expect(readlinkSync(folder.under("link2"))).toBe("no\\where");
    makeDirectory(folder.fd, name("d"), 0o700);
    expect(codeOf(() => removeName(folder.fd, name("d")))).toBe("EISDIR");
    removeEmptyDirectory(folder.fd, name("d"));
    removeName(folder.fd, name("link"));
    expect(run(["ls", folder.path]).toString()).toBe("file\nlink2\n");
  });

  test.each([0n, 1n, -1n, 981_173_106_123_456_789n, -1_500_000_000n])("get the time %d ns exactly", (ns) => {
    using folder = openScratch();
    makeSymlink(name("x"), folder.fd, name("link"));
    setTimes(folder.fd, name("link"), ns);
    expect(lstatSync(folder.under("link"), { bigint: true }).mtimeNs).toBe(ns);
  });
});

test("a device's number is what the kernel has", () => {
  const { rdev } = lstatSync("/dev/null", { bigint: true });
  expect(makeDevice(1, 3)).toBe(rdev);
  for (const [major, minor] of [
    [1, 3],
    [0xfff, 0xfffff],
    [8, 256],
  ] as const) {
    expect(deviceParts(makeDevice(major, minor))).toEqual({ major, minor });
  }
});

test("attributes are bytes", () => {
  using folder = openScratch();
  const path = name(folder.under("file"));
  writeFileSync(folder.under("file"), "");
  const value = Buffer.from([0, 0xff, 0x0a, 0x3d]);
  setXattr(path, name("user.one"), value);
  const fd = openSync(folder.under("file"), "r");
  setFileXattr(fd, name("user.empty"), Buffer.alloc(0));
  closeSync(fd);
  expect(listXattrs(path).sort()).toEqual(["user.empty", "user.one"]);
  expect(getXattr(path, name("user.one"))).toEqual(value);
  expect(getXattr(path, name("user.empty"))).toHaveLength(0);
  expect(getXattr(path, name("user.none"))).toBeUndefined();
  expect(codeOf(() => getXattr(name(folder.under("none")), name("user.one")))).toBe("ENOENT");
  expect(codeOf(() => setXattr(path, name("nonsense"), value))).toBe("ENOTSUP");
});

test("holes are found", () => {
  using folder = openScratch();
  writeFileSync(folder.under("file"), "");
  truncateSync(folder.under("file"), 1 << 20);
  const fd = openSync(folder.under("file"), "r+");
  expect(dataSegments(fd, 1 << 20)).toEqual([]);
  writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 1 << 16);
  expect(dataSegments(fd, 1 << 20)).toEqual([{ offset: 1 << 16, size: 4096 }]);
  closeSync(fd);
});

test("a lock is held until its file is closed", () => {
  using folder = openScratch();
  writeFileSync(folder.under("lock"), "");
  const [one, two] = [openSync(folder.under("lock"), "r"), openSync(folder.under("lock"), "r")];
  expect(tryLock(one)).toBe(true);
  expect(tryLock(two)).toBe(false);
  expect(tryLock(two, "shared")).toBe(false);
  closeSync(one);
  expect(tryLock(two)).toBe(true);
  closeSync(two);
});

test("a file is no block device", () => {
  using folder = openScratch();
  writeFileSync(folder.under("file"), "");
  const fd = openSync(folder.under("file"), "r");
  syncFileSystem(fd);
  expect(codeOf(() => blockDeviceSize(fd))).toBe("ENOTTY");
  expect(codeOf(() => rereadPartitions(fd))).toBe("ENOTTY");
  closeSync(fd);
});

test("the native file that a bundle needs is found", () => {
  expect(basename(nativeFilePath())).toBe(NATIVE_FILE);
  expect(lstatSync(nativeFilePath()).size).toBeGreaterThan(100_000);
});

test("nothing is kept of a call", () => {
  using folder = openScratch();
  symlinkSync("x", folder.under("link"));
  const calls = (count: number) => {
    for (let index = 0; index < count; index++) codeOf(() => openDirectoryBeneath(folder.fd, name("link")));
    return process.memoryUsage.rss();
  };
  const before = calls(2_000);
  expect(calls(20_000) - before).toBeLessThan(50 << 20);
});
