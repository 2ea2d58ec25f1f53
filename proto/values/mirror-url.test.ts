import { expect, test } from "vitest";
import { parseMirrorUrl } from "./mirror-url.ts";

test.each([
  ["https://cache.example.org/hps", "https://cache.example.org/hps"],
  ["HTTPS://Cache.Example.Org:443/hps//", "https://cache.example.org/hps"],
  ["http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"],
  ["http://192.0.2.1/a/../b/", "http://192.0.2.1/b"],
])("%s is a place of files", (text, url) => {
  expect(parseMirrorUrl(text)).toBe(url);
  expect(parseMirrorUrl(url)).toBe(url);
});

test.each([
  ...["ftp://x/", "https://u:p@x/", "https://u@x", "https://x/?a", "https://x/#a", "x", "", "https://"],
  ...["https://x/a b", "https://x/\n", " https://x", "https://x\\y", "https:///x?", "file:///etc"],
  `https://x/${"a".repeat(1024)}`,
])("%j is none", (text) => {
  expect(() => parseMirrorUrl(text)).toThrow("not an http or https address of files");
});
