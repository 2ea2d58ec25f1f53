/** What a signature says about an image: that in `cluster` its `name` stood for `digest` at `time`. */
import { HpsError } from "../values/hps-error.ts";
import { quote } from "../values/safe-text.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { readPlainText, writePlainText } from "./plain-text.ts";
import { readSignature, type Signature, signerOf } from "./signed.ts";

export interface Statement {
  /** Empty for the library that clusters share. */
  readonly cluster: string;
  /** `name:tag`. */
  readonly name: string;
  /** Of the manifest: 64 digits. */
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface SignedStatement extends Statement, Signature {
  /** What the signature is over. */
  readonly bytes: Buffer;
}

/** What the reader of a signature knows already. */
export interface ExpectedStatement {
  readonly cluster: string;
  readonly digest: string;
  /** Undefined where an image is taken by its digest. */
  readonly name?: string | undefined;
}

const MAGIC = "HPSSIG";
/** Of the manifests that `digest` can name. */
const FORMAT_VERSION = 1;
const LONGEST_CLUSTER = 255;
const LONGEST_NAME = 257;

/** The bytes that are signed. */
export function encodeStatement(statement: Statement): Buffer {
  const writer = new ByteWriter();
  writer.rawText(MAGIC);
  writer.byte(1);
  writer.number(FORMAT_VERSION);
  writePlainText(writer, "a cluster's name", statement.cluster, LONGEST_CLUSTER);
  writePlainText(writer, "an image's name", statement.name, LONGEST_NAME);
  writer.raw(digestBytes(statement.digest));
  writer.number(statement.time);
  return writer.done();
}

/** Reads a statement with its signature, which nobody has checked yet. */
export function parseSignedStatement(bytes: Uint8Array): SignedStatement {
  const reader = new ByteReader(bytes, "signature");
  reader.magic(MAGIC);
  const format = reader.number("the image's format", FORMAT_VERSION);
  if (format !== FORMAT_VERSION) throw reader.wrong("it is about an image of no format");
  const statement = {
    cluster: readPlainText(reader, "a cluster's name", LONGEST_CLUSTER),
    name: readPlainText(reader, "an image's name", LONGEST_NAME),
    digest: reader.take(32, "the image's digest").toString("hex"),
    time: reader.number("the time", Number.MAX_SAFE_INTEGER),
  };
  const covered = Buffer.from(bytes.subarray(0, reader.position));
  return { ...statement, bytes: covered, ...readSignature(reader) };
}

/** Throws unless a key of `keys` says just that of the image; gives that key. */
export function checkStatement(
  found: SignedStatement,
  keys: readonly Uint8Array[],
  expected: ExpectedStatement,
): Uint8Array {
  const what = `the image ${quote(found.name)} of ${clusterName(found.cluster)}`;
  const key = signerOf(what, found.bytes, found, keys);
  const other = (about: string, wanted: string) =>
    new HpsError("denied", `the signature is about ${about}, not about ${wanted}`, {
      hint: signingHint(expected.name),
    });
  if (found.cluster !== expected.cluster) throw other(what, clusterName(expected.cluster));
  if (found.digest !== expected.digest) throw other(`${what} with the digest ${found.digest}`, expected.digest);
  if (expected.name !== undefined && found.name !== expected.name)
    throw other(what, `the name ${quote(expected.name)}`);
  return key;
}

/** What has an image signed; by a name, for signatures are about names. */
export function signingHint(name: string | undefined): string {
  if (name !== undefined) return `hpsctl image sign ${name} --key FILE`;
  return "sign it under one of its names, which hpsctl image ls -o wide shows: hpsctl image sign NAME:TAG --key FILE";
}

function clusterName(cluster: string): string {
  return cluster === "" ? "the shared library" : `cluster ${quote(cluster)}`;
}

function digestBytes(digest: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new HpsError("invalid", `not an image's digest: ${quote(digest, 80)}`);
  return Buffer.from(digest, "hex");
}
