/** The keys whose signatures a host of one cluster believes. A host keeps the set of its installation; the next must be signed by a key of that one. */
import { HpsError } from "../values/hps-error.ts";
import { quote } from "../values/safe-text.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { readPlainText, writePlainText } from "./plain-text.ts";
import { readSignature, type Signature, signerOf } from "./signed.ts";
import { PUBLIC_KEY_BYTES } from "./signing-key.ts";

interface TrustedKey {
  /** 32 bytes of Ed25519. */
  readonly key: Buffer;
  /** What people call it: "convenience" is the one that hpsd itself holds. */
  readonly label: string;
}

export interface KeySet {
  readonly cluster: string;
  /** Of two sets the one with the larger number is the later. */
  readonly serial: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** One at least, ordered by their bytes. */
  readonly keys: readonly TrustedKey[];
}

export interface SignedKeySet extends KeySet {
  /** What the signature is over. */
  readonly bytes: Buffer;
  /** Missing for a cluster's first set. */
  readonly by: Signature | undefined;
}

const MAGIC = "HPSKEYS";
const MOST_KEYS = 64;
const LONGEST_NAME = 255;

/** The bytes that are signed, and by which a host keeps the set; the keys in any order. */
export function encodeKeySet({ cluster, serial, time, keys }: KeySet): Buffer {
  if (keys.length < 1 || keys.length > MOST_KEYS) {
    throw new HpsError("invalid", `a key set has 1 to ${MOST_KEYS} keys, not ${keys.length}`);
  }
  const writer = new ByteWriter();
  writer.rawText(MAGIC);
  writer.byte(1);
  writePlainText(writer, "a cluster's name", cluster, LONGEST_NAME);
  writer.number(serial);
  writer.number(time);
  writer.number(keys.length);
  for (const { key, label } of keys.toSorted((one, other) => Buffer.compare(one.key, other.key))) {
    writer.raw(key);
    writePlainText(writer, "a key's label", label, LONGEST_NAME);
  }
  parseKeySet(writer.done());
  return writer.done();
}

/** Reads a set with its signature, which nobody has checked yet, or without one. */
export function parseKeySet(bytes: Uint8Array): SignedKeySet {
  const reader = new ByteReader(bytes, "key set");
  reader.magic(MAGIC);
  const cluster = readPlainText(reader, "a cluster's name", LONGEST_NAME);
  const serial = reader.number("the serial number", Number.MAX_SAFE_INTEGER);
  const time = reader.number("the time", Number.MAX_SAFE_INTEGER);
  const keys = readKeys(reader);
  const covered = Buffer.from(bytes.subarray(0, reader.position));
  const by = reader.left === 0 ? undefined : readSignature(reader);
  return { cluster, serial, time, keys, bytes: covered, by };
}

function readKeys(reader: ByteReader): TrustedKey[] {
  const count = reader.number("the number of keys", MOST_KEYS);
  if (count === 0) throw reader.wrong("it has no key");
  const keys: TrustedKey[] = [];
  for (let index = 0; index < count; index++) {
    const at = reader.position;
    const key = reader.take(PUBLIC_KEY_BYTES, "a key");
    const before = keys.at(-1)?.key;
    if (before !== undefined && before.compare(key) >= 0) throw reader.wrong("its keys are out of order", at);
    keys.push({ key, label: readPlainText(reader, "a key's label", LONGEST_NAME) });
  }
  return keys;
}

/** Throws unless `next` may take the place of `pinned`: of the same cluster, later, and signed by a key of `pinned`. */
export function checkNextKeySet(pinned: KeySet, next: SignedKeySet): void {
  const what = `key set ${next.serial} of cluster ${quote(next.cluster)}`;
  if (next.by === undefined) {
    throw new HpsError("denied", `${what} bears no signature, and this host keeps set ${pinned.serial}`, {
      hint: `have it signed by a key of set ${pinned.serial}`,
    });
  }
  const keys = pinned.keys.map(({ key }) => key);
  signerOf(what, next.bytes, next.by, keys);
  if (next.cluster !== pinned.cluster)
    throw new HpsError("denied", `${what} is not cluster ${quote(pinned.cluster)}'s`);
  if (next.serial > pinned.serial) return;
  throw new HpsError("denied", `${what} is not later than set ${pinned.serial}, which this host keeps`);
}
