import { expect, test } from "vitest";
import { aclBytes, aclText } from "./acl.ts";
import { byteStringOf } from "./byte-string.ts";

const people = new Map([
  ["lisa", 1000],
  ["tom", 999],
]);
const bytes = (text: string) => aclBytes(byteStringOf(text), (_, name) => people.get(name), byteStringOf("etc/x"));
const roundTrip = (text: string) => aclText(bytes(text));

test("a list becomes the kernel's form: in its order, by number", () => {
  expect(roundTrip("user::rw-,user:lisa:rwx,user:tom:r--,group::r--,mask::rwx,other::---")).toBe(
    "user::rw-,user:999:r--,user:1000:rwx,group::r--,mask::rwx,other::---",
  );
  expect(roundTrip("u::rwx\ng:7:r-x\ng::r--\no::-\n")).toBe("user::rwx,group::r--,group:7:r-x,mask::r-x,other::---");
  expect(roundTrip("default:user::rwx,default:group::r-x,default:other::r-x")).toBe("user::rwx,group::r-x,other::r-x");
});

test("a number beside a name wins, as star writes it", () => {
  expect(roundTrip("user::rw-,user:lisa:rwx:42,group::r--,mask::rwx,other::---")).toContain("user:42:rwx");
});

test.each([
  ["user::rw-,user:nobody-here:rwx", 'of "etc/x" names the user "nobody-here"'],
  ["user::rwz", "cannot be read at"],
  ["folk::rwx", "cannot be read at"],
  ["valueOf", "cannot be read at"],
  ["mask:lisa:rwx", "cannot be read at"],
  ["user:4294967295:rwx", "beyond all bounds"],
])("%s is refused", (text, says) => {
  expect(() => bytes(text)).toThrow(says);
});

test("bytes that are no list have no text", () => {
  expect(aclText(Buffer.alloc(3))).toBeUndefined();
  expect(aclText(Buffer.from("0100000001000600ffffffff", "hex"))).toBeUndefined();
  expect(aclText(Buffer.from("0200000003000600ffffffff", "hex"))).toBeUndefined();
});
