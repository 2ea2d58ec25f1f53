import type { MessageInitShape } from "@bufbuild/protobuf";
import { ImageFormat } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Image, ImportImageSchema } from "../../proto/gen/hps/v1/image_pb.ts";
import { type ArchiveFile, readArchive, type ScannedArchive, scanFile } from "../build/archive-file.ts";
import { ProgressBar } from "../output/progress-bar.ts";
import type { Call } from "./call.ts";
import { type ImageHome, sayWhatItHolds } from "./image-store.ts";

const FORMATS = { none: ImageFormat.TAR, zstd: ImageFormat.TAR_ZSTD, xz: ImageFormat.TAR_XZ } as const;

/** Scans and sends an archive, which the library keeps as it is; `label` is what it is called while that goes on. */
export async function sendArchive(call: Call, home: ImageHome, archive: ArchiveFile, label: string): Promise<Image> {
  const hps = await call.connect();
  const scanned = await scan(call, archive, label);
  await sayWhatItHolds(call, scanned);
  using bar = new ProgressBar(call.terminal, `sending ${label}`, archive.sizeBytes);
  const data = bar.through(readArchive(archive));
  return await hps.importImage(announcement(home, archive, scanned), data, call.stream);
}

async function scan(call: Call, archive: ArchiveFile, label: string): Promise<ScannedArchive> {
  using bar = new ProgressBar(call.terminal, `reading ${label}`, archive.sizeBytes);
  return await scanFile(archive, call.terminal.signal, (count) => bar.add(count));
}

function announcement(
  home: ImageHome,
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
  return { ...home, source, system, kernel };
}
