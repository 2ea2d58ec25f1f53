import fc from "fast-check";
import { expect, test } from "vitest";
import { mayOnlySign } from "./key-usage.ts";
import { makeChain, makePeer, PEERS } from "./test-chain.ts";

const chain = await makeChain();
const leaf = (await makePeer(chain, PEERS.host)).certificate.raw;

/** The certificate with its digitalSignature bits replaced by others of the same length; its signature is then void. */
function withBits(bits: string): Buffer {
  const at = leaf.indexOf("0603551d0f0101ff040403020780", "hex");
  expect(at).toBeGreaterThan(0);
  return Buffer.concat([leaf.subarray(0, at + 10), Buffer.from(bits, "hex"), leaf.subarray(at + 14)]);
}

test("a leaf may sign and nothing else; an authority's usages are others", () => {
  expect(mayOnlySign(leaf)).toBe(true);
  expect(mayOnlySign(withBits("03020780"))).toBe(true);
  expect(mayOnlySign(chain.intermediate.certificate.raw)).toBe(false);
  for (const other of ["030206c0", "03020284", "03020106", "03020700"])
    expect(mayOnlySign(withBits(other))).toBe(false);
  const unnamed = Buffer.from(leaf);
  unnamed.writeUInt8(0x10, leaf.indexOf("0603551d0f", "hex") + 4);
  expect(mayOnlySign(unnamed)).toBe(false);
});

test("bytes bent anywhere are answered or refused as invalid", () => {
  fc.assert(
    fc.property(fc.nat(leaf.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const bent = Buffer.from(leaf);
      bent.writeUInt8(bent.readUInt8(at) ^ bits, at);
      try {
        expect(typeof mayOnlySign(bent)).toBe("boolean");
      } catch (error) {
        expect(error).toMatchObject({ name: "HpsError", code: "invalid" });
      }
    }),
    { numRuns: 1000 },
  );
});
