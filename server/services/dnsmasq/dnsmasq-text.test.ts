import fc from "fast-check";
import { expect, test } from "vitest";
import { ANY_CHARACTER } from "../../../proto/values/testing/any-character.ts";
import { dnsmasqText } from "./dnsmasq-text.ts";

test("what comes out is one line, and one word that nothing can leave", () => {
  const hostile = fc.oneof(
    fc.string({ unit: ANY_CHARACTER }),
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
