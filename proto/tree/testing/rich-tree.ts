import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { ACL_ACCESS, ACL_DEFAULT, aclBytes } from "../acl.ts";
import { byteStringOf, latin1 } from "../byte-string.ts";
import { makeDevice, makeNode, makeSymlink, setTimes } from "../native/paths.ts";
import { setXattr } from "../native/xattrs.ts";

const SPARSE_SIZE = 3 << 20;
const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex");

/** Makes below `root` one of each thing that a tree can hold. Needs root. */
export function makeRichTree(root: string): void {
  const at = (name: string) => `${root}/${name}`;
  mkdirSync(at(`etc/${"deep/".repeat(30)}`), { recursive: true });
  writeFileSync(at("etc/passwd"), "root:x:0:0::/:/bin/sh\nlisa:x:4711:4711::/:/bin/sh\n");
  writeFileSync(at("etc/group"), "root:x:0:\n");
  writeFileSync(at("file"), "content");
  writeFileSync(at("empty"), "");
  writeFileSync(at(`etc/${"n".repeat(200)}`), "a long name");
  writeFileSync(Buffer.concat([Buffer.from(`${root}/name`), Buffer.from([0xff, 0xfe])]), "bytes");
  linkSync(at("file"), at("etc/second"));
  symlinkSync("../../etc/passwd", at("link"));
  symlinkSync("x".repeat(300), at("long-link"));
  linkSync(at("link"), at("etc/link-of-link"));
  makeSparse(at("sparse"), [
    [1 << 20, 5000],
    [(2 << 20) + 512, 1],
  ]);
  makeSparse(at("hole"), []);
  makeSparse(
    at("many-holes"),
    Array.from({ length: 30 }, (_, index) => [index * 65_536, 4096] as const),
  );
  specials(root);
  owners(at);
  attributes(at);
  times(root);
}

function makeSparse(path: string, pieces: readonly (readonly [offset: number, size: number])[]): void {
  writeFileSync(path, "");
  const fd = openSync(path, "r+");
  for (const [offset, size] of pieces) writeSync(fd, Buffer.alloc(size, 0x61), 0, size, offset);
  closeSync(fd);
  truncateSync(path, SPARSE_SIZE);
}

function specials(root: string): void {
  const fd = openSync(root, "r");
  makeNode(fd, latin1("null"), 0o020666, makeDevice(1, 3));
  makeNode(fd, latin1("disk"), 0o060660, makeDevice(259, 70_000));
  makeNode(fd, latin1("fifo"), 0o010644, 0n);
  makeSymlink(latin1("\xff\xfe"), fd, latin1("to\xe9"));
  closeSync(fd);
}

function owners(at: (name: string) => string): void {
  chownSync(at("file"), 1234, 5678);
  chmodSync(at("file"), 0o6751);
  lchownSync(at("link"), 3_000_000_000, 4_000_000_000);
  chownSync(at("etc/deep"), 7, 8);
  chmodSync(at("etc/deep"), 0o3710);
  chmodSync(at("empty"), 0);
}

function attributes(at: (name: string) => string): void {
  const set = (path: string, name: string, value: Uint8Array) => setXattr(byteStringOf(at(path)), latin1(name), value);
  const acl = (text: string) => aclBytes(latin1(text), () => undefined, latin1(""));
  set("file", "user.bytes", Buffer.from([0, 0xff, 0x0a, 0x3d, 0x20]));
  set("file", "user.a=b%3D", Buffer.from("odd name"));
  set("file", "security.capability", CAPABILITY);
  set("link", "trusted.of-a-link", Buffer.from("x"));
  set("null", "trusted.of-a-device", Buffer.from("y"));
  set("etc", "user.of-a-folder", Buffer.alloc(0));
  set("empty", ACL_ACCESS, acl("user::rw-,user:4711:rwx,group::r--,mask::rwx,other::---"));
  set("etc/deep", ACL_DEFAULT, acl("user::rwx,group::r-x,group:99:rw-,mask::rwx,other::---"));
}

function times(root: string): void {
  const fd = openSync(root, "r");
  const when: readonly (readonly [string, bigint])[] = [
    ["file", 981_173_106_123_456_789n],
    ["link", 1n],
    ["empty", -1_500_000_000n],
    ["sparse", 10_000_000_000_000_000_000n],
    ["null", 999_999_999n],
    ["etc", 981_173_106_000_000_001n],
  ];
  for (const [name, ns] of when) setTimes(fd, latin1(name), ns);
  setTimes(fd, latin1("."), 42n);
  closeSync(fd);
}
