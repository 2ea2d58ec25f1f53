import type { ContainerKind, Trailer } from "../../proto/image/container.ts";
import { parseTrailer, TRAILER_BYTES } from "../../proto/image/container.ts";
import { LARGEST_MANIFEST } from "../../proto/image/limits.ts";
import { manifestBytes, manifestLength } from "../../proto/image/manifest.ts";
import { shortDigest } from "../../proto/values/digest.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { FileRef, Span } from "../link/file-request.ts";
import type { SpanFiles } from "../link/files.ts";
import type { ReadOptions } from "../link/read-span.ts";
import type { ImageFiles, IndexedFile } from "./image-source.ts";
import { ManifestBounds } from "./manifest-bounds.ts";
import { Pieces, PiecesReader } from "./pieces.ts";

/** Fetches an image's manifest; it is the one that its digest names. From hpsd alone, which knows its members: it says where everything is. */
export async function fetchManifest(
  { manifest: file, tree }: ImageFiles,
  spans: SpanFiles,
  options: ReadOptions,
): Promise<Pieces> {
  if (file.sizeBytes > LARGEST_MANIFEST) {
    throw new HpsError("invalid", `${options.what} has a manifest of ${file.sizeBytes} bytes, which no image has`);
  }
  const read = { ...options, what: `the manifest of ${options.what}` };
  const bounds = new ManifestBounds(tree, options.what);
  const refused = bounds.refusal(file.sizeBytes);
  if (refused !== undefined) throw refused;
  const from = { spans, read, origin: spans.hpsd };
  const raw = await trusted(file, { from: 0, to: file.sizeBytes }, from, (stored) => {
    // What the machine cannot hold is no damage of what came.
    return bounds.refusal(stored.length + manifestLength(stored)) ?? manifestBytes(stored, file.digest);
  });
  if (raw instanceof HpsError) throw raw;
  const pieces = new PiecesReader();
  const manifest = bounds.read(raw, (entry) => pieces.add(entry));
  return new Pieces(manifest, pieces);
}

/** Fetches the index at the end of a pack or a delta. */
export async function fetchIndex<Index>(
  file: IndexedFile,
  { kind, parse }: { readonly kind: ContainerKind; readonly parse: (stored: Uint8Array, trailer: Trailer) => Index },
  { spans, read }: { readonly spans: SpanFiles; readonly read: ReadOptions },
): Promise<Index> {
  const span = { from: file.indexOffset, to: file.sizeBytes };
  if (file.indexOffset + file.indexBytes + TRAILER_BYTES !== file.sizeBytes) {
    throw new HpsError("invalid", `hpsd does not say rightly where the index of the ${kind.layer} ${file.digest} is`);
  }
  const what = `the index of ${kind.layer} ${shortDigest(file.digest)}`;
  return await trusted(file, span, { spans, read: { ...read, what } }, (end) => {
    const trailer = parseTrailer(kind, end.subarray(-TRAILER_BYTES), file.sizeBytes);
    if (trailer.indexOffset !== file.indexOffset) throw new HpsError("invalid", "its index is not where hpsd says");
    return parse(end.subarray(0, trailer.indexBytes), trailer);
  });
}

/** Reads a part of a file and parses it; one origin's bytes that are not what they should be are asked of the next. */
async function trusted<Value>(
  file: FileRef,
  span: Span,
  { spans, read, ...from }: { readonly spans: SpanFiles; readonly read: ReadOptions; readonly origin?: number },
  parse: (bytes: Buffer) => Value,
): Promise<Value> {
  let { origin } = from;
  for (;;) {
    const bytes = Buffer.allocUnsafeSlow(span.to - span.from);
    let filled = 0;
    let last = 0;
    for await (const chunk of spans.read(file, span, { ...read, ...(origin !== undefined && { origin }) })) {
      bytes.set(chunk.bytes, filled);
      filled += chunk.bytes.length;
      last = chunk.origin;
    }
    try {
      return parse(bytes);
    } catch (error) {
      origin = spans.distrust(last);
      if (origin === undefined) throw damaged(error, read.what);
      read.log(`${read.what} came damaged; asking another server`);
    }
  }
}

/** What a parser says does not name the file. */
function damaged(error: unknown, what: string): unknown {
  if (!(error instanceof HpsError)) return error;
  const code = error.code === "invalid" ? "data-loss" : error.code;
  return new HpsError(code, `${what}: ${error.message}`, { hint: AGAIN, cause: error, details: error.details });
}

const AGAIN = "see hpsctl image verify; import the image again, then hpsctl installation retry HOST";
