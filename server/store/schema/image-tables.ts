/** The tables of images; conventions as in tables.ts. `library` is a cluster's id, or `shared`. */
import type { Generated } from "kysely";

/** An image under a name, or one without a name that is kept because a host runs it. */
export interface ImageTable {
  id: string;
  library: string;
  /** Null in the shared library. */
  cluster_id: string | null;
  /** `name:tag`, in the shared library `shared/name:tag`; null: kept for its use alone. */
  name: string | null;
  /** SHA-256 of the archive, or of the manifest, lower-case hex. Its file lies in the state folder as `images/…/<digest>`. */
  digest: string;
  /** Of that file; a manifest's is compressed. */
  size_bytes: number;
  format: "tar" | "tar-zstd" | "tar-xz" | "packs";
  /** Of all its regular files, unpacked. */
  content_bytes: number;
  entries: number;
  /** JSON array: what it needs to be booted and has not. */
  lacks_json: string;
  system: string;
  kernel: string;
  imported_by: string;
  created_at: number;
  /** When the name was made, or moved to this image. */
  named_at: Generated<number>;
  /** When its name goes by itself; null: never. */
  expires_at: Generated<number | null>;
}

/** A pack of a library. Its bytes lie in the state folder as `images/packs/<digest>`, once for all libraries. */
export interface PackTable {
  library: string;
  digest: string;
  size_bytes: number;
  /** Of its compressed index. */
  index_offset: number;
  index_bytes: number;
  created_at: number;
  /** From when on no image needs it; its file stays until nobody can still read it. */
  retired_at: number | null;
  /** When it was found damaged: what it holds counts as lacking. Null: nobody found it so. */
  damaged_at: number | null;
}

/** What an image of packs is read from; an object that is in several packs is read from the first. */
export interface ImagePackTable {
  library: string;
  image_digest: string;
  ordinal: number;
  /** That of the image, or the shared one. */
  pack_library: string;
  pack_digest: string;
}

/** What makes the objects of one image out of those of another. Its bytes lie in the state folder as `images/deltas/<digest>`. */
export interface DeltaTable {
  library: string;
  digest: string;
  /** Digests of the manifests. */
  base: string;
  target: string;
  size_bytes: number;
  index_offset: number;
  index_bytes: number;
  created_at: number;
}

/** A signature over what a name of an image stood for; checked when it came, and again by whoever relies on it. */
export interface ImageSignatureTable {
  library: string;
  /** Of the manifest. */
  image_digest: string;
  name: string;
  key_id: string;
  /** The statement with its signature, as docs/image-format.md has it. */
  signed: Uint8Array;
  added_by: string;
  created_at: number;
}

/** The keys that may sign the images of a cluster; the set with the largest number counts. */
export interface ImageKeySetTable {
  cluster_id: string;
  serial: number;
  /** The set with its signature, if it has one, as docs/image-format.md has it. */
  signed: Uint8Array;
  set_by: string;
  created_at: number;
}
