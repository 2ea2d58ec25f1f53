/** For tests: keys that are the same each time, and what they signed. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { encodeKeySet, parseKeySet, type SignedKeySet } from "../key-set.ts";
import { signed } from "../signed.ts";
import { publicKeyBytes } from "../signing-key.ts";
import { encodeStatement, type Statement } from "../statement.ts";

const PKCS8_HEAD = "302e020100300506032b657004220420";

export function testKey(seed: number): KeyObject {
  const der = Buffer.concat([Buffer.from(PKCS8_HEAD, "hex"), Buffer.alloc(32, seed)]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** A set of cluster `lab` unless told otherwise, signed by `by` where one is named. */
export function testKeySet(
  serial: number,
  keys: readonly KeyObject[],
  { by, cluster = "lab" }: { readonly by?: KeyObject; readonly cluster?: string } = {},
): SignedKeySet {
  const named = keys.map((key, index) => ({ key: publicKeyBytes(key), label: `key-${index}` }));
  const bytes = encodeKeySet({ cluster, serial, time: 1_700_000_000_000, keys: named });
  return parseKeySet(by === undefined ? bytes : signed(bytes, by));
}

/** A statement about `debian:12` of cluster `lab`, signed. */
export function testSignature(key: KeyObject, change: Partial<Statement> = {}): Buffer {
  const statement = { cluster: "lab", name: "debian:12", digest: "a".repeat(64), time: 1_700_000_000_000, ...change };
  return signed(encodeStatement(statement), key);
}
