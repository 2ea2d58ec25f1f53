import fc from "fast-check";
import { expect, test } from "vitest";
import { newClaimToken } from "./claim-token.ts";
import { digestOf } from "./digest.ts";
import { HpsError } from "./hps-error.ts";
import { formatInvitation, parseInvitation } from "./invitation.ts";

test("an invitation is one word that comes back as it was", () => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const invitation = { token: newClaimToken(), rootDigest: digestOf(seed) };
      const text = formatInvitation(invitation);
      expect(text).toMatch(/^hps1\.[\w-]{43}\.[\w-]{43}$/);
      expect(parseInvitation(text)).toEqual(invitation);
    }),
  );
});

test("anything else is refused with an HpsError that does not repeat it", () => {
  const good = formatInvitation({ token: newClaimToken(), rootDigest: digestOf("") });
  const near = fc.nat(good.length - 1).chain((at) => fc.string({ maxLength: 2 }).map((by) => good.slice(0, at) + by));
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      try {
        expect(formatInvitation(parseInvitation(text))).toBe(text);
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
        if (text.length > 20 && error instanceof HpsError) expect(error.message).not.toContain(text);
      }
    }),
  );
});
