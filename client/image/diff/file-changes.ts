import type { Manifest } from "../../../proto/image/manifest.ts";
import type { ManifestEntry } from "../../../proto/image/manifest-entry.ts";
import { comparePaths } from "../../../proto/image/paths.ts";
import type { ByteString } from "../../../proto/tree/byte-string.ts";

export interface FileChange {
  readonly path: ByteString;
  /** `changed`: its content, or what it is; `attributes`: owner, mode, time, extended attributes alone. */
  readonly kind: "added" | "removed" | "changed" | "attributes";
  /** Bytes of content before and after; holes count. */
  readonly before: number;
  readonly after: number;
}

/** In the order of the paths. */
export function fileChanges(before: Manifest, after: Manifest): FileChange[] {
  const changes: FileChange[] = [];
  const [olds, news] = [before.entries, after.entries];
  for (let at = 0, to = 0; at < olds.length || to < news.length; ) {
    const [old, now] = [olds[at], news[to]];
    const order = old === undefined ? 1 : now === undefined ? -1 : comparePaths(old.path, now.path);
    const [left, right] = [order <= 0 ? old : undefined, order >= 0 ? now : undefined];
    if (left !== undefined) at += 1;
    if (right !== undefined) to += 1;
    const change = changeOf({ manifest: before, entry: left }, { manifest: after, entry: right });
    if (change !== undefined) changes.push(change);
  }
  return changes;
}

interface Side {
  readonly manifest: Manifest;
  readonly entry: ManifestEntry | undefined;
}

function changeOf(before: Side, after: Side): FileChange | undefined {
  const [old, now] = [inodeOf(before), inodeOf(after)];
  const path = (after.entry ?? before.entry)?.path;
  if (path === undefined) return undefined;
  const sizes = { before: old?.size ?? 0, after: now?.size ?? 0 };
  if (old === undefined) return { path, kind: "added", ...sizes };
  if (now === undefined) return { path, kind: "removed", ...sizes };
  if (whatItIs(old, before.manifest) !== whatItIs(now, after.manifest)) return { path, kind: "changed", ...sizes };
  return attributesOf(old) === attributesOf(now) ? undefined : { path, kind: "attributes", ...sizes };
}

/** What a name stands for. */
function inodeOf({ manifest, entry }: Side): ManifestEntry | undefined {
  return entry?.type === "hardlink" ? manifest.entries[entry.target] : entry;
}

function whatItIs({ type, size, link, major, minor, segments, objects }: ManifestEntry, manifest: Manifest): string {
  const content = objects.map((number) => manifest.objects[number]?.digest.toString("hex") ?? "");
  const holes = segments?.map(({ offset, size: length }) => `${offset}+${length}`) ?? [];
  return JSON.stringify([type, size, link, major, minor, holes, content]);
}

function attributesOf({ mode, uid, gid, mtime, xattrs }: ManifestEntry): string {
  const attributes = xattrs.map(({ name, value }) => [name, Buffer.from(value).toString("hex")]);
  return JSON.stringify([mode, uid, gid, `${mtime}`, attributes]);
}
