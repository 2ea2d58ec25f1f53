import { createHash } from "node:crypto";
import { HpsError } from "../../../../proto/values/hps-error.ts";
import { quote } from "../../../../proto/values/safe-text.ts";
import type { Blob, BlobStore } from "./blob-store.ts";
import type { Descriptor } from "./schemas.ts";

/** Of an index, a manifest or a configuration: none comes near. */
const LARGEST_DOCUMENT = 4 << 20;

/** A whole digest is shown. */
const LONGEST_NAME = 160;

/** The blob that a descriptor names; its digest is checked while it is read, and wrong when it ends. */
export async function* verifiedBlob(store: BlobStore, { digest, size }: Descriptor): AsyncGenerator<Buffer, void> {
  const [algorithm = "", hex = ""] = digest.split(":");
  const name = `blobs/${algorithm}/${hex}`;
  const blob = store.find(name);
  if (blob === undefined) throw missing(store, name);
  if (blob.sizeBytes !== size) throw wrong(store, name, `is ${blob.sizeBytes} bytes, not ${size}`);
  const hash = createHash(algorithm);
  for await (const piece of blob.bytes()) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest("hex") !== hex) throw wrong(store, name, "is not what its digest says");
}

/** A document of JSON that a descriptor names. */
export async function readDocument(store: BlobStore, descriptor: Descriptor): Promise<unknown> {
  if (descriptor.size > LARGEST_DOCUMENT) throw tooLong(store, descriptor.digest);
  return parsed(store, descriptor.digest, await gather(verifiedBlob(store, descriptor)));
}

/** A document of JSON by its name; undefined when it is not there. */
export async function readNamed(store: BlobStore, name: string): Promise<unknown> {
  const blob = store.find(name);
  if (blob === undefined) return undefined;
  if (blob.sizeBytes > LARGEST_DOCUMENT) throw tooLong(store, name);
  return parsed(store, name, await readWhole(blob));
}

export function readWhole(blob: Blob): Promise<Buffer> {
  return gather(blob.bytes());
}

async function gather(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes));
}

function parsed(store: BlobStore, name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new HpsError("invalid", `${quote(name, LONGEST_NAME)} of the container image ${store.path} is not JSON`, {
      cause,
    });
  }
}

const ANEW = "copy or fetch the image anew: skopeo copy SOURCE oci-archive:FILE";

export function missing(store: BlobStore, name: string): HpsError {
  return new HpsError("invalid", `the container image ${store.path} lacks ${quote(name, LONGEST_NAME)}`, {
    hint: ANEW,
  });
}

export function wrong(store: BlobStore, name: string, how: string): HpsError {
  return new HpsError("data-loss", `${quote(name, LONGEST_NAME)} of the container image ${store.path} ${how}`, {
    hint: ANEW,
  });
}

function tooLong(store: BlobStore, name: string): HpsError {
  return wrong(store, name, `is longer than ${LARGEST_DOCUMENT} bytes`);
}
