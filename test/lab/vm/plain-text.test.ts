import { expect, test } from "vitest";
import { PlainText } from "./plain-text.ts";

const SAID =
  "Booting\r\n\u001bc\u001b[?7l\u001b[2J\u001b[01;02Hdisk é\u001b]0;title\u0007 \u001b(Bone\u001b[0m\r\nend\tof it\u0000\r\n";

test("what moves the cursor is taken out, wherever the bytes are cut", () => {
  const bytes = Buffer.from(SAID);
  for (let size = 1; size <= bytes.length; size += 1) {
    const plain = new PlainText();
    let text = "";
    for (let at = 0; at < bytes.length; at += size) text += plain.push(bytes.subarray(at, at + size));
    expect(text, `in pieces of ${size}`).toBe("Booting\ndisk é one\nend\tof it\n");
  }
});

test("a lone escape does not hold the rest back for ever", () => {
  expect(new PlainText().push(Buffer.from(`\u001b]${"x".repeat(300)}`))).toContain("xxx");
});
