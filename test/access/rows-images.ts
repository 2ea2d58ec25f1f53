import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  ImageService,
  InstallerService,
  type ReadPackResponse,
  type UploadImageResponse,
} from "../../proto/gen/hps/v1/image_pb.ts";
import { addTestImage } from "../../server/core/testing/test-rows.ts";
import { insertPack, replacePacksOf } from "../../server/store/packs.ts";
import type { Rig } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { ofClusterA } from "./rows-hosts.ts";
import { fresh } from "./subject.ts";

const image = ImageService.method;
const installer = InstallerService.method;

const archive = ({ number }: Pick<Try, "number">) => Buffer.from(`archive ${number}`);
export const fileOf = (bytes: Buffer) => ({
  digest: createHash("sha256").update(bytes).digest("hex"),
  sizeBytes: BigInt(bytes.length),
});
const storedName = ({ rig }: Try, name: string, library = rig.clusters.a) =>
  rig.book.value("SELECT name FROM image WHERE name = ? AND library = ?", name, library);

/** An image of cluster a; its name. */
async function someImage({ core, clusters }: Rig): Promise<string> {
  const name = `made:${fresh()}`;
  await addTestImage(core.store, clusters.a, { name });
  return name;
}

/** An image that all clusters share; its name. */
async function sharedImage({ core }: Rig): Promise<string> {
  const name = `shared/made:${fresh()}`;
  await addTestImage(core.store, "shared", { name });
  return name;
}

export const OF_ALL = {
  ...{ variant: "of all clusters", extra: sharedImage, target: () => "library:shared", shared: true },
} as const;

/** An image of one pack in this library; manifest and pack, which nobody reads, hold its name. */
export async function imageOfPacks({ core }: Rig, library: string): Promise<string> {
  const name = `${library === "shared" ? "shared/" : ""}packs:${fresh()}`;
  const file = { digest: fileOf(Buffer.from(name)).digest, sizeBytes: name.length };
  for (const part of ["manifests", "packs"] as const) await writeFile(core.filing.files.stored(part, file).path, name);
  await addTestImage(core.store, library, { name, ...file, format: "packs" });
  await core.store.write(async (tx) => {
    await insertPack(tx, { ...file, library, indexOffset: 0, indexBytes: 0, createdAt: 1 });
    await replacePacksOf(tx, { ...file, library }, [{ ...file, library }]);
  });
  return name;
}

/** All of the only pack of an image. */
const packOf = ({ subject }: Pick<Try, "subject">, cluster: string) => {
  const { digest, sizeBytes } = fileOf(Buffer.from(subject.extra));
  return { cluster, name: subject.extra, pack: digest, bytes: sizeBytes };
};

const isPack = ({ data }: ReadPackResponse, { subject }: Pick<Try, "subject">) =>
  Buffer.from(data).toString() === subject.extra;

/** To bring an image that is there, by its digest, is to name it. */
function uploadOf({ subject, number }: Try, cluster: string) {
  const { digest, sizeBytes } = fileOf(Buffer.from(subject.extra));
  // No other tag of this name: hpsd would make a delta between the two.
  const name = `${cluster === "" ? "shared/" : ""}upload-${number}:1`;
  const value = { cluster, name, digest, manifestBytes: sizeBytes };
  return { message: { case: "begin" as const, value } };
}

const isNewImage = ({ message }: UploadImageResponse, t: Try, library?: string) =>
  message.case === "image" && storedName(t, message.value.name, library) !== undefined;

export const IMAGE_ROWS: readonly Row[] = [
  row(image.importImage, {
    request: (t) => {
      const found = { format: ImageFormat.TAR, contentBytes: 1n, entries: 1n };
      const value = { cluster: "a", name: `new:${t.number}`, source: { file: fileOf(archive(t)), ...found } };
      return { message: { case: "image" as const, value } };
    },
    next: (t) => ({ message: { case: "data" as const, value: archive(t) } }),
    shows: ({ name }, t) => name === `new:${t.number}` && storedName(t, name) === name,
    target: ofClusterA,
    changes: true,
  }),
  row(image.uploadImage, {
    extra: async (rig) => await imageOfPacks(rig, rig.clusters.a),
    request: (t) => uploadOf(t, "a"),
    shows: (reply, t) => isNewImage(reply, t),
    target: ofClusterA,
    changes: true,
  }),
  row(image.uploadImage, {
    ...OF_ALL,
    extra: async (rig) => await imageOfPacks(rig, "shared"),
    request: (t) => uploadOf(t, ""),
    shows: (reply, t) => isNewImage(reply, t, "shared"),
    changes: true,
  }),
  row(image.getManifest, {
    extra: async (rig) => await imageOfPacks(rig, rig.clusters.a),
    request: ({ subject }) => ({ cluster: "a", name: subject.extra }),
    shows: ({ message }, { subject }) =>
      message.case === "manifest" && Buffer.from(message.value).toString() === subject.extra,
    target: ofClusterA,
  }),
  row(image.getManifest, {
    ...{ variant: "of all clusters", shared: true, extra: async (rig) => await imageOfPacks(rig, "shared") },
    request: ({ subject }) => ({ name: subject.extra }),
    shows: ({ message }, { subject }) =>
      message.case === "manifest" && Buffer.from(message.value).toString() === subject.extra,
  }),
  row(image.readPack, {
    extra: async (rig) => await imageOfPacks(rig, rig.clusters.a),
    request: (t) => packOf(t, "a"),
    shows: isPack,
    target: ofClusterA,
  }),
  row(image.readPack, {
    ...{ variant: "of all clusters", shared: true, extra: async (rig) => await imageOfPacks(rig, "shared") },
    request: (t) => packOf(t, ""),
    shows: isPack,
  }),
  row(image.getImage, {
    extra: someImage,
    request: ({ subject }) => ({ cluster: "a", name: subject.extra }),
    shows: ({ name }, { subject }) => name === subject.extra,
    target: ofClusterA,
  }),
  row(image.getImage, {
    ...{ variant: "of all clusters", extra: sharedImage, shared: true },
    request: ({ subject }) => ({ name: subject.extra }),
    shows: ({ name }, { subject }) => name === subject.extra,
  }),
  row(image.listImages, {
    extra: someImage,
    request: () => ({ cluster: "a", pageSize: 1000 }),
    shows: ({ images }, { subject }) => images.some(({ name }) => name === subject.extra),
    target: ofClusterA,
  }),
  row(image.listImages, {
    variant: "of all",
    extra: someImage,
    request: () => ({ pageSize: 1000 }),
    shows: ({ images }, { subject }) => images.some(({ name }) => name === subject.extra),
  }),
  row(image.tagImage, {
    extra: someImage,
    request: ({ subject, number }) => ({ cluster: "a", image: subject.extra, name: `tag:${number}` }),
    shows: ({ name }, t) => name === `tag:${t.number}` && storedName(t, name) === name,
    target: ofClusterA,
    changes: true,
  }),
  row(image.tagImage, {
    ...OF_ALL,
    request: ({ subject, number }) => ({ image: subject.extra, name: `shared/tag:${number}` }),
    shows: ({ name }, t) => name === `shared/tag:${t.number}` && storedName(t, name, "shared") === name,
    changes: true,
  }),
  row(image.deleteImage, {
    ...OF_ALL,
    request: ({ subject }) => ({ name: subject.extra }),
    shows: (_reply, t) => storedName(t, t.subject.extra, "shared") === undefined,
    changes: true,
  }),
  row(image.deleteImage, {
    extra: someImage,
    request: ({ subject }) => ({ cluster: "a", name: subject.extra }),
    shows: (_reply, t) => storedName(t, t.subject.extra) === undefined,
    target: ofClusterA,
    changes: true,
  }),
];

const FILES = ["kernel", "initrd.img", "tools.squashfs"];

export const INSTALLER_ROWS: readonly Row[] = [
  row(installer.importInstaller, {
    request: ({ number }) => {
      const files = FILES.map((name) => ({ name, file: fileOf(Buffer.from(name)) }));
      return { message: { case: "installer" as const, value: { version: `0.0.${number}`, files } } };
    },
    next: () => ({ message: { case: "data" as const, value: Buffer.from(FILES.join("")) } }),
    shows: ({ version }, { rig, number }) =>
      version === `0.0.${number}` && rig.core.installers.current?.version === version,
    changes: "elsewhere",
  }),
  // Of the row before.
  row(installer.getInstaller, {
    request: () => ({}),
    shows: ({ digest }, { rig }) => digest === rig.core.installers.current?.digest,
  }),
];
