import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  CHARACTER_DEVICE,
  type CpioEntry,
  DIRECTORY,
  EXECUTABLE,
  foldersTo,
  LINK,
  READABLE,
} from "../../../proto/tree/cpio.ts";
import { walk } from "./unpacked.ts";

/** One file of an archive to come; its bytes are read when they are written. */
export interface StagedFile {
  readonly path: string;
  readonly mode: number;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly read?: () => Uint8Array;
}

export function folder(path: string, mode = DIRECTORY): StagedFile {
  return { path, mode };
}

export function text(path: string, content: string, mode = READABLE): StagedFile {
  return { path, mode, read: () => Buffer.from(content) };
}

export function symlink(path: string, target: string): StagedFile {
  return { path, mode: LINK, read: () => Buffer.from(target) };
}

export function characterDevice(path: string, major: number, minor: number): StagedFile {
  return { path, mode: CHARACTER_DEVICE, device: { major, minor } };
}

/** A copy of a file; runs when the original does. */
export function copy(path: string, from: string): StagedFile {
  return { path, mode: (statSync(from).mode & 0o111) === 0 ? READABLE : EXECUTABLE, read: () => readFileSync(from) };
}

/** All of a folder below `into`, with its links as they are. */
export function copyTree(into: string, from: string, keep: (path: string) => boolean = () => true): StagedFile[] {
  return walk(from)
    .filter(({ path, kind }) => kind !== "folder" && keep(path))
    .map(({ path, kind }) => {
      const source = join(from, path);
      return kind === "link" ? symlink(`${into}/${path}`, readlinkSync(source)) : copy(`${into}/${path}`, source);
    });
}

/** The files with the folders on the way to them, sorted by path: what an archive is written from. */
export function withFolders(files: readonly StagedFile[]): readonly StagedFile[] {
  const all = new Map<string, StagedFile>();
  for (const file of files) for (const path of foldersTo(file.path)) all.set(path, folder(path));
  for (const file of files) all.set(file.path, file);
  return [...all.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

export function entryOf({ path, mode, device, read }: StagedFile): CpioEntry {
  return { path, mode, ...(device && { device }), ...(read && { data: read() }) };
}
