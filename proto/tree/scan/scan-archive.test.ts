import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type RawEntry, rawTar } from "../testing/raw-tar.ts";
import { inPieces } from "../testing/scratch.ts";
import { prettyName } from "./os-release.ts";
import { scanArchive } from "./scan-archive.ts";

const scan = (entries: readonly RawEntry[]) => scanArchive(inPieces(rawTar(entries), 1000));

const RELEASE = '# a comment\nNAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n';

/** As a Debian tree has it: merged /usr, links everywhere. */
const DEBIAN: readonly RawEntry[] = [
  { name: "./", type: "5" },
  { name: "./bin", type: "2", link: "usr/bin" },
  { name: "./boot/", type: "5" },
  { name: "./boot/initrd.img-6.1.0-32-amd64", content: "initrd" },
  { name: "./boot/vmlinuz-6.1.0-32-amd64", content: "kernel" },
  { name: "./etc/os-release", type: "2", link: "../usr/lib/os-release" },
  { name: "./lib", type: "2", link: "usr/lib" },
  { name: "./sbin", type: "2", link: "usr/sbin" },
  { name: "./usr/lib/os-release", content: RELEASE },
  { name: "./usr/lib/systemd/systemd", content: "elf", mode: 0o755 },
  { name: "./usr/sbin/init", type: "2", link: "/lib/systemd/systemd" },
  { name: "./vmlinuz", type: "2", link: "boot/vmlinuz-6.1.0-32-amd64" },
];

const without = (name: string) => DEBIAN.filter((entry) => !entry.name.startsWith(name));

test("a Debian tree is known for what it is", async () => {
  expect(await scan(DEBIAN)).toEqual({
    compression: "none",
    entries: DEBIAN.length,
    contentBytes: RELEASE.length + "initrdkernelelf".length,
    system: "Debian GNU/Linux 12 (bookworm)",
    kernel: "6.1.0-32-amd64",
    lacks: [],
  });
});

test("compressed, it is the same", async () => {
  const summary = await scanArchive(inPieces(zstdCompressSync(rawTar(DEBIAN))));
  expect(summary).toMatchObject({ compression: "zstd", kernel: "6.1.0-32-amd64", lacks: [] });
});

describe("what it lacks", () => {
  test.each<readonly [string, readonly RawEntry[], readonly string[]]>([
    ["a kernel", without("./boot/vmlinuz"), ["kernel"]],
    ["an initrd", without("./boot/initrd"), ["initrd"]],
    ["both", without("./boot/"), ["kernel", "initrd"]],
    ["its init's program", without("./usr/lib/systemd"), ["init"]],
    ["the link to it", without("./usr/sbin"), ["init"]],
    ["all", [], ["kernel", "initrd", "init"]],
    [
      "an init that can run",
      [...without("./usr/lib/systemd"), { name: "usr/lib/systemd/systemd", content: "x" }],
      ["init"],
    ],
    [
      "an init that leads anywhere",
      [...without("./usr/sbin"), { name: "usr/sbin/init", type: "2", link: "init" }],
      ["init"],
    ],
    ["a kernel that is more than a name", [...without("./boot/vmlinuz"), { name: "boot/vmlinuz-1" }], ["kernel"]],
  ])("%s", async (_, entries, lacks) => {
    expect((await scan(entries)).lacks).toEqual(lacks);
  });
});

describe("what an installation would refuse", () => {
  test.each<readonly [string, readonly RawEntry[], string]>([
    ["a path that climbs", [{ name: "../x" }], "climbs out by .."],
    [
      "an entry below a link",
      [{ name: "a", type: "2", link: "b" }, { name: "a/c" }],
      '"a/c" below "a", which is a link',
    ],
    [
      "a list of access that names a stranger",
      [
        { name: "etc/passwd", content: "lisa:x:7:" },
        { name: "x", pax: { "SCHILY.acl.access": "user:eve:rwx" } },
      ],
      'the access control list of "x" names the user "eve"',
    ],
  ])("%s is refused at once", async (_, entries, says) => {
    await expect(scan(entries)).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining(says) });
  });

  test("a list of access that names one of the tree's own is taken", async () => {
    const listed = { name: "x", pax: { "SCHILY.acl.access": "user::rw-,user:lisa:rwx,group::r--,other::---" } };
    expect((await scan([listed, { name: "etc/passwd", content: "lisa:x:7:" }])).entries).toBe(2);
  });
});

test.each([
  ['PRETTY_NAME="A \\"B\\" \\$C"', 'A "B" $C'],
  ["PRETTY_NAME='It is'\nX=1", "It is"],
  ["PRETTY_NAME=plain", "plain"],
  ["NAME=x", ""],
])("os-release %j is called %j", (text, name) => {
  expect(prettyName(text)).toBe(name);
});
