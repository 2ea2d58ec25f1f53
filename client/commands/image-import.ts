import { basename, join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Image, ImportImageSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { type ImageRef, parseImageRef } from "../../proto/values/image-ref.ts";
import { type ArchiveFile, openArchive, readArchive, type ScannedArchive, scanFile } from "../build/archive-file.ts";
import { cacheFolder } from "../build/package-cache.ts";
import { IMAGE_VIEW } from "../output/image-view.ts";
import { note, printOne } from "../output/print.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import { clusterOr } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { interruptible } from "./interruptible.ts";

const FORMATS = { none: ImageFormat.TAR, zstd: ImageFormat.TAR_ZSTD, xz: ImageFormat.TAR_XZ } as const;

/** `image import`: looks through an archive or a folder, says what it lacks, sends it. */
export async function importImage(call: Call): Promise<number> {
  const name = parseImageRef(call.operand(0));
  const path = call.operand(1);
  const { environment, signal } = call.terminal;
  // Before the long work: is there a server, and a cluster?
  clusterOr((await call.connect()).cluster);
  const image = await interruptible(call, "nothing was imported", async () => {
    await using archive = await openArchive(path, join(cacheFolder(environment), "import"), signal);
    return await sendImage(call, name, archive, basename(path));
  });
  await printOne(call, IMAGE_VIEW, image);
  return 0;
}

/** Scans and sends an archive; `label` is what it is called while that goes on. */
export async function sendImage(call: Call, name: ImageRef, archive: ArchiveFile, label: string): Promise<Image> {
  const hps = await call.connect();
  const cluster = clusterOr(hps.cluster);
  const scanned = await scan(call, archive, label);
  await sayWhatIsMissing(call, scanned);
  using bar = new ProgressBar(call.terminal, `sending ${label}`, archive.sizeBytes);
  const data = bar.through(readArchive(archive));
  return await hps.importImage(announcement(cluster, name, archive, scanned), data, call.stream);
}

async function scan(call: Call, archive: ArchiveFile, label: string): Promise<ScannedArchive> {
  using bar = new ProgressBar(call.terminal, `reading ${label}`, archive.sizeBytes);
  return await scanFile(archive, call.terminal.signal, (count) => bar.add(count));
}

async function sayWhatIsMissing(call: Call, { lacks, system, kernel }: ScannedArchive): Promise<void> {
  const holds = [system || "no known system", kernel === "" ? "" : `kernel ${kernel}`].filter((part) => part !== "");
  await note(call.terminal, `it holds ${holds.join(", ")}`);
  if (lacks.length > 0)
    await note(call.terminal, `warning: it has no ${lacks.join(", no ")}: it is kept, but cannot be installed`);
}

function announcement(
  cluster: string,
  name: ImageRef,
  { sizeBytes }: ArchiveFile,
  scanned: ScannedArchive,
): MessageInitShape<typeof ImportImageSchema> {
  const { digest, compression, contentBytes, entries, lacks, system, kernel } = scanned;
  const source = {
    file: { digest, sizeBytes: BigInt(sizeBytes) },
    format: FORMATS[compression],
    contentBytes: BigInt(contentBytes),
    entries: BigInt(entries),
    lacks: [...lacks],
  };
  return { cluster, name, source, system, kernel };
}
