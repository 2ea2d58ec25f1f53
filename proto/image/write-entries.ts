import { showName } from "../tree/byte-string.ts";
import type { Segment } from "../tree/native/files.ts";
import { HpsError } from "../values/hps-error.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { EntryRules } from "./entry-rules.ts";
import type { Manifest } from "./manifest.ts";
import type { ManifestEntry } from "./manifest-entry.ts";
import { ROOT, sharedLength } from "./paths.ts";
import { TYPES } from "./read-entries.ts";

/** What `readEntries` reads. An entry that breaks a rule is an `invalid` error that names it. */
export function writeEntries(writer: ByteWriter, { entries, objects }: Manifest): void {
  let path = ROOT;
  const lengths = objects.map(({ length }) => length);
  const rules = new EntryRules(lengths, (why) => cannotHold(path, why));
  writer.number(entries.length);
  for (const entry of entries) {
    const shared = sharedLength(path, entry.path);
    path = entry.path;
    const used = rules.objectsUsed;
    rules.add(entry);
    writer.byte(TYPES.indexOf(entry.type));
    writer.number(shared);
    writer.text(path.slice(shared));
    if (entry.type !== "hardlink") writeOwner(writer, entry);
    writeOfType(writer, entry, used);
  }
  rules.end();
}

function cannotHold(path: Manifest["entries"][number]["path"], why: string): HpsError {
  return new HpsError("invalid", `an image cannot hold ${showName(path)}: ${why}`);
}

const SECOND = 1_000_000_000n;

function writeOwner(writer: ByteWriter, entry: ManifestEntry): void {
  if (entry.type !== "symlink") writer.number(entry.mode);
  writer.number(entry.uid);
  writer.number(entry.gid);
  const nanoseconds = ((entry.mtime % SECOND) + SECOND) % SECOND;
  writer.signed(Number((entry.mtime - nanoseconds) / SECOND));
  writer.number(Number(nanoseconds));
  writer.number(entry.xattrs.length);
  for (const { name, value } of entry.xattrs) {
    writer.text(name);
    writer.bytes(value);
  }
}

function writeOfType(writer: ByteWriter, entry: ManifestEntry, objectsUsed: number): void {
  switch (entry.type) {
    case "file":
      writer.number(entry.size);
      writeSegments(writer, entry.segments);
      writeObjects(writer, entry.objects, objectsUsed);
      break;
    case "hardlink":
      writer.number(entry.target);
      break;
    case "symlink":
      writer.text(entry.link);
      break;
    case "character":
    case "block":
      writer.number(entry.major);
      writer.number(entry.minor);
      break;
    default:
  }
}

function writeSegments(writer: ByteWriter, segments: readonly Segment[] | undefined): void {
  writer.number(segments === undefined ? 0 : segments.length + 1);
  let end = 0;
  for (const { offset, size } of segments ?? []) {
    writer.number(offset - end);
    writer.number(size);
    end = offset + size;
  }
}

/** The next object that no file had yet as 0, one that was there before by how far back it is. */
function writeObjects(writer: ByteWriter, objects: readonly number[], objectsUsed: number): void {
  let used = objectsUsed;
  for (const object of objects) {
    writer.number(used - object);
    if (object === used) used += 1;
  }
}
