import fc from "fast-check";
import { expect, test } from "vitest";
import { dnsDomain, dnsLabel, dnsmasqText } from "./dnsmasq-text.ts";

test("what comes out is one line, and one word that nothing can leave", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."a\",\\#\n\r\t \0'$`=[]") }),
  );
  fc.assert(
    fc.property(hostile, (value) => {
      let text: string;
      try {
        text = dnsmasqText(value);
      } catch {
        expect(/\p{Cc}|\p{Cs}/u.test(value) || value === "" || value.length > 200).toBe(true);
        return;
      }
      expect(text).toMatch(/^([A-Za-z0-9_./:@+=-]+|"([^"\\\p{Cc}]|\\["\\])*")$/u);
    }),
    { numRuns: 2000 },
  );
});

test("only lower-case labels of DNS enter the hosts file", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      fc.pre(!/^[a-z0-9-]*$/.test(value));
      expect(() => dnsLabel(value)).toThrow(/host name/);
    }),
  );
  for (const bad of ["", "-a", "a-", "a".repeat(64), "A", "a b", "a\n10.0.0.1 evil"])
    expect(() => dnsLabel(bad)).toThrow();
  expect(dnsDomain("a.b-c.example")).toBe("a.b-c.example");
  for (const bad of ["a..b", ".a", "a.", "a/b", `${"a.".repeat(130)}a`]) expect(() => dnsDomain(bad)).toThrow();
});
