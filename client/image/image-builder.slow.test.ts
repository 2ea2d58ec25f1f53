import { expect, test } from "vitest";
import { byteStringOf, latin1 } from "../../proto/tree/byte-string.ts";
import type { TarEntry } from "../../proto/tree/tar/entry.ts";
import { built } from "./testing/built.ts";

test("100 000 small files in bounded memory", async () => {
  const before = process.memoryUsage().rss;
  using image = await built((builder) => {
    for (let number = 0; number < 100_000; number++) {
      const content = Buffer.from(`content ${number % 50_000}`);
      builder.entry(fileEntry(`usr/share/folder-${number % 300}/file-${number}`, content.length));
      builder.data(content, 0);
      builder.done();
    }
  });
  expect(image.manifest.entries).toHaveLength(100_000 + 303);
  expect(image.manifest.objects).toHaveLength(50_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20);
});

function fileEntry(path: string, size: number): TarEntry {
  const [name, link] = [byteStringOf(path), latin1("")];
  return {
    type: "file",
    path: name,
    link,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 5n,
    size,
    major: 0,
    minor: 0,
    xattrs: [],
    acls: {},
    at: 0,
  };
}
