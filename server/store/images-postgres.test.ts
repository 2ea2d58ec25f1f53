import { expect, test } from "vitest";
import { compileForPostgres } from "./compile-for-postgres.ts";
import type { Tx } from "./database.ts";
import { selectExpiringLibraries, selectKeepRules, selectNames } from "./image-names.ts";
import {
  deleteSignaturesOf,
  insertKeySet,
  putSignature,
  selectCurrentKeySets,
  selectKeySets,
  selectSignaturesOf,
  selectSigners,
} from "./image-trust.ts";
import { selectHostOf, selectImagesOfHost, selectNameless, selectOldestOpen, selectOpenUseOf } from "./image-uses.ts";
import {
  countOthersOf,
  deleteImage,
  type ImageRow,
  insertImage,
  selectImage,
  selectImageByDigest,
  selectImageFiles,
  selectImages,
  selectNewestTag,
  selectStoredSize,
  unnameImage,
  updateExpiry,
  updateStoredSize,
} from "./images.ts";
import { deleteDelta, selectLibraryDeltas, selectLibraryImages, updatePackDamage } from "./library-contents.ts";
import { selectLibrariesWithPacks, selectPackReaders, selectRetiredBytes } from "./pack-readers.ts";
import {
  claimPacks,
  deleteDeltasOf,
  deleteLibrary,
  deletePack,
  deletePacksOf,
  insertDelta,
  insertPack,
  replacePacksOf,
  retireUnneededPacks,
  selectDeltasTo,
  selectIndexedFile,
  selectIndexedFiles,
  selectPacks,
  selectPacksOf,
  selectRetiredPacks,
  sumLibrary,
} from "./packs.ts";

const IMAGE: ImageRow = {
  ...{ id: "i", library: "c", name: "debian:12", digest: "d", sizeBytes: 1, format: "packs", contentBytes: 1 },
  ...{ entries: 1, lacks: [], system: "", kernel: "", importedBy: "a", createdAt: 1, namedAt: 1, expiresAt: null },
};
const FILE = { library: "c", digest: "p", sizeBytes: 1, indexOffset: 1, indexBytes: 1, createdAt: 1 };
const SIGNED = { signed: Buffer.from("signed"), createdAt: 1 };
const AFTER = { cluster: "c", name: "a:1" };

const QUERIES: Readonly<Record<string, (tx: Tx) => Promise<unknown>>> = {
  selectLibraryImages: (tx) => selectLibraryImages(tx, "c"),
  selectLibraryDeltas: (tx) => selectLibraryDeltas(tx, "c"),
  updatePackDamage: (tx) => updatePackDamage(tx, "p", 1),
  deleteDelta: (tx) => deleteDelta(tx, "p"),
  selectPackReaders: (tx) => selectPackReaders(tx, "c"),
  selectLibrariesWithPacks: (tx) => selectLibrariesWithPacks(tx),
  selectRetiredBytes: (tx) => selectRetiredBytes(tx, "c"),
  insertImage: (tx) => insertImage(tx, IMAGE),
  updateExpiry: (tx) => updateExpiry(tx, "i", 1),
  selectExpiringLibraries: (tx) => selectExpiringLibraries(tx, 1),
  selectNames: (tx) => selectNames(tx, "c"),
  selectKeepRules: (tx) => selectKeepRules(tx),
  selectKeepRuleOf: (tx) => selectKeepRules(tx, "c"),
  selectNewestTag: (tx) => selectNewestTag(tx, { library: "c", title: "a_b:", except: "d" }),
  selectImage: (tx) => selectImage(tx, "c", "debian:12"),
  selectImageByDigest: (tx) => selectImageByDigest(tx, ["c", "shared"], "d"),
  selectImages: (tx) => selectImages(tx, { clusters: ["c"], shared: true, after: AFTER, limit: 1 }),
  deleteImage: (tx) => deleteImage(tx, "i"),
  unnameImage: (tx) => unnameImage(tx, "i"),
  countOthersOf: (tx) => countOthersOf(tx, IMAGE),
  selectStoredSize: (tx) => selectStoredSize(tx, "d"),
  updateStoredSize: (tx) => updateStoredSize(tx, "d", 1),
  selectImageFiles: (tx) => selectImageFiles(tx),
  selectOpenUseOf: (tx) => selectOpenUseOf(tx, IMAGE),
  selectHostOf: (tx) => selectHostOf(tx, IMAGE),
  selectOldestOpen: (tx) => selectOldestOpen(tx),
  selectNameless: (tx) => selectNameless(tx),
  selectImagesOfHost: (tx) => selectImagesOfHost(tx, "h"),
  insertPack: (tx) => insertPack(tx, FILE),
  selectPacks: (tx) => selectPacks(tx, ["c", "shared"]),
  selectPacksOf: (tx) => selectPacksOf(tx, IMAGE),
  replacePacksOf: (tx) => replacePacksOf(tx, IMAGE, [FILE]),
  deletePacksOf: (tx) => deletePacksOf(tx, IMAGE),
  claimPacks: (tx) => claimPacks(tx, [FILE]),
  retireUnneededPacks: (tx) => retireUnneededPacks(tx, 1),
  selectRetiredPacks: (tx) => selectRetiredPacks(tx, 1),
  deletePack: (tx) => deletePack(tx, FILE),
  selectIndexedFile: (tx) => selectIndexedFile(tx, ["c"], "p"),
  selectIndexedFiles: (tx) => selectIndexedFiles(tx, "delta"),
  insertDelta: (tx) => insertDelta(tx, { ...FILE, base: "b", target: "t" }),
  selectDeltasTo: (tx) => selectDeltasTo(tx, IMAGE),
  deleteDeltasOf: (tx) => deleteDeltasOf(tx, IMAGE),
  sumLibrary: (tx) => sumLibrary(tx, "c"),
  deleteLibrary: (tx) => deleteLibrary(tx, "c"),
  putSignature: (tx) =>
    putSignature(tx, { ...SIGNED, library: "c", digest: "d", name: "a:1", keyId: "k", addedBy: "a" }),
  selectSignaturesOf: (tx) => selectSignaturesOf(tx, IMAGE),
  selectSigners: (tx) => selectSigners(tx, [IMAGE]),
  deleteSignaturesOf: (tx) => deleteSignaturesOf(tx, IMAGE),
  insertKeySet: (tx) => insertKeySet(tx, { ...SIGNED, clusterId: "c", serial: 1, setBy: "a" }),
  selectKeySets: (tx) => selectKeySets(tx, "c"),
  selectCurrentKeySets: (tx) => selectCurrentKeySets(tx),
};

test.each(Object.keys(QUERIES))("%s is portable", async (name) => {
  const queries = await compileForPostgres(QUERIES[name] ?? expect.unreachable());
  expect(queries.length).toBeGreaterThan(0);
});
