import { ImageService, VerifiedState } from "../../proto/gen/hps/v1/image_pb.ts";
import { insertDelta, insertPack } from "../../server/store/packs.ts";
import type { Rig } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { ofClusterA } from "./rows-hosts.ts";
import { fileOf, imageOfPacks, OF_ALL } from "./rows-images.ts";
import { fresh } from "./subject.ts";

const image = ImageService.method;

/** Between two images of this library, there already; its digest. */
async function someDelta(rig: Rig, library: string): Promise<string> {
  const names = [await imageOfPacks(rig, library), await imageOfPacks(rig, library)];
  const [base = "", target = ""] = names.map((name) => fileOf(Buffer.from(name)).digest);
  const { digest } = fileOf(Buffer.from(`delta ${fresh()}`));
  const delta = { library, digest, base, target, sizeBytes: 1, indexOffset: 0, indexBytes: 0, createdAt: 1 };
  await rig.core.store.write((tx) => insertDelta(tx, delta));
  return digest;
}

function imagesOf({ rig, subject }: Try): { readonly base: string; readonly target: string } {
  const find = (column: string) => rig.book.value(`SELECT ${column} FROM delta WHERE digest = ?`, subject.extra);
  return { base: `sha256:${find("base")}`, target: `sha256:${find("target")}` };
}

/** A pack that no image needs, of this library; its digest. */
async function unneededPack({ core }: Rig, library: string): Promise<string> {
  const { digest } = fileOf(Buffer.from(`pack ${fresh()}`));
  const file = { library, digest, sizeBytes: 1, indexOffset: 0, indexBytes: 0, createdAt: 1 };
  await core.store.write((tx) => insertPack(tx, file));
  return digest;
}

const isRetired = ({ rig, subject }: Try) =>
  rig.book.value("SELECT digest FROM pack WHERE digest = ? AND retired_at IS NOT NULL", subject.extra) !== undefined;

const isMarked = ({ rig, subject }: Try) =>
  rig.book.value("SELECT digest FROM pack WHERE digest = ? AND damaged_at IS NOT NULL", subject.extra) !== undefined;

export const LIBRARY_ROWS: readonly Row[] = [
  row(image.collectImages, {
    extra: async (rig) => await unneededPack(rig, rig.clusters.a),
    request: () => ({ cluster: "a" }),
    shows: ({ retiredPacks }, t) => retiredPacks > 0 && isRetired(t),
    target: ofClusterA,
    changes: true,
  }),
  row(image.collectImages, {
    ...OF_ALL,
    extra: async (rig) => await unneededPack(rig, "shared"),
    request: () => ({}),
    shows: ({ retiredPacks }, t) => retiredPacks > 0 && isRetired(t),
    changes: true,
  }),
  row(image.verifyImages, {
    extra: async (rig) => await unneededPack(rig, rig.clusters.a),
    request: () => ({ cluster: "a" }),
    shows: ({ digest, state }, { subject }) => digest === subject.extra && state === VerifiedState.LOST,
    isSettled: isMarked,
    target: ofClusterA,
    changes: true,
  }),
  row(image.verifyImages, {
    ...OF_ALL,
    extra: async (rig) => await unneededPack(rig, "shared"),
    request: () => ({}),
    shows: ({ digest, state }, { subject }) => digest === subject.extra && state === VerifiedState.LOST,
    isSettled: isMarked,
    changes: true,
  }),
  row(image.makeDelta, {
    extra: async (rig) => await someDelta(rig, rig.clusters.a),
    request: (t) => ({ cluster: "a", ...imagesOf(t) }),
    shows: ({ digest }, { subject }) => digest === subject.extra,
    target: ofClusterA,
  }),
  row(image.makeDelta, {
    ...OF_ALL,
    extra: async (rig) => await someDelta(rig, "shared"),
    request: (t) => imagesOf(t),
    shows: ({ digest }, { subject }) => digest === subject.extra,
  }),
];
