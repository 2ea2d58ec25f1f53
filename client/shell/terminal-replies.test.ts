import { expect, test } from "vitest";
import { withoutReplies } from "./terminal-replies.ts";

function kept(text: string): string {
  return Buffer.from(withoutReplies(Buffer.from(text, "latin1"))).toString("latin1");
}

test.each([
  "\x1b[?62;4c",
  "\x1b[>1;3600;0c",
  "\x1b[12;40R",
  "\x1b[?12;40;1R",
  "\x1b[0n",
  "\x1b[?2026;2$y",
  "\x1b[?1u",
  "\x1b[4;768;1024t",
  "\x1b[I",
  "\x1b]11;rgb:0000/0000/0000\x07",
  "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
  "\x1bP>|xterm(388)\x1b\\",
  "\x1bP1+r524742=38\x1b\\",
])("%j is an answer of a terminal, also among keys", (reply) => {
  expect(kept(reply)).toBe("");
  expect(kept(`ls ${reply}-l${reply}`)).toBe("ls -l");
});

test.each([
  "\x1b",
  "\x1b[A",
  "\x1bOA",
  "\x1b[3~",
  "\x1b[1;5C",
  "\x1b[200~x\x1b[201~",
  "\x1bb",
  "\x1b[Z",
  "\xff\0~",
  "\x1b[1;2R\x1b",
])("%j is typed, or begins with what is not", (keys) => {
  expect(kept(keys)).toBe(keys === "\x1b[1;2R\x1b" ? "\x1b" : keys);
});
