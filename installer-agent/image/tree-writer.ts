import { closeSync, constants, fstatSync, ftruncateSync } from "node:fs";
import { type ByteString, latin1, splitPath } from "../../proto/tree/byte-string.ts";
import { errnoOf } from "../../proto/tree/native/call-error.ts";
import { type Segment, startWriting } from "../../proto/tree/native/files.ts";
import {
  createFile,
  makeHardLink,
  makeSymlink,
  openBeneath,
  openOrCreateFile,
  removeName,
} from "../../proto/tree/native/paths.ts";
import { clearMetadata } from "../../proto/tree/unpack/clear-metadata.ts";
import { copyFile, writeWhole } from "../../proto/tree/unpack/copy-file.ts";
import { Directories } from "../../proto/tree/unpack/directories.ts";
import { setNamedMetadata, setNewMetadata, setOpenMetadata } from "../../proto/tree/unpack/metadata.ts";
import { makeNodeOf } from "../../proto/tree/unpack/node.ts";
import { unpackError } from "../../proto/tree/unpack/unpack-error.ts";
import type { FileHead, FilePart, MadeEntry } from "./jobs.ts";

/** Until the end folders are root's alone. */
const FOLDER_MODE = 0o700;
const PRIVATE = 0o600;
const PERMISSIONS = 0o777;

/**
 * Writes an image's entries below a root folder that holds nothing in their way, in any order and beside other threads
 * that do the same: folders are made as they are needed and get what is said of them when all else is there. No link is
 * followed, whatever the paths say.
 */
export class TreeWriter {
  readonly #root: number;
  readonly #folders: Directories;
  readonly #umask = process.umask();
  /** What a new file's owner is: no folder here passes on a group of its own. */
  readonly #own = { uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };

  /** `root` is an open folder, the caller's. */
  constructor(root: number) {
    this.#root = root;
    this.#folders = new Directories(root, { mode: FOLDER_MODE });
  }

  /** An object's bytes into one place. */
  write({ file, extents }: FilePart, bytes: Uint8Array): void {
    this.#named(file.path, (at, name) => {
      if (extents === undefined) this.#writeFile(file, { at, name }, bytes);
      else writeExtents(openOrCreateFile(at, name, PRIVATE), extents, bytes);
    });
  }

  /** What has no content. */
  make(entry: MadeEntry): void {
    if (entry.type === "directory") {
      this.#about(entry.path, () => this.#folders.atPath(entry.path));
      return;
    }
    this.#named(entry.path, (at, name) => {
      if (entry.type === "file") return this.#writeFile(entry, { at, name }, EMPTY);
      if (entry.type === "hardlink" || entry.type === "directory") throw new Error("made elsewhere");
      if (entry.type === "symlink") makeSymlink(entry.link, at, name);
      else makeNodeOf({ at, name }, entry.type, entry);
      setNamedMetadata(at, name, entry);
    });
  }

  /** A file that was written in pieces, whatever it was before. */
  finish(file: FileHead): void {
    this.#named(file.path, (at, name) => {
      const fd = openOrCreateFile(at, name, PRIVATE);
      try {
        ftruncateSync(fd, file.size);
        setOpenMetadata(fd, file);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Opens a file that is there from before, as `kept` reads it; afterwards it is as `kept` says it is good, or gone. */
  keep(file: FileHead, kept: (fd: number) => "whole" | "parts" | "nothing"): void {
    this.#named(file.path, (at, name) => {
      const fd = openBeneath(at, name, { flags: constants.O_RDWR | constants.O_NONBLOCK });
      let verdict: ReturnType<typeof kept> = "nothing";
      try {
        // Another name of the same file would be written to as well.
        if (fstatSync(fd).nlink === 1) verdict = kept(fd);
        if (verdict !== "nothing") clearMetadata(fd, PRIVATE);
        if (verdict === "whole") setOpenMetadata(fd, file);
      } finally {
        closeSync(fd);
      }
      if (verdict === "nothing") removeName(at, name);
    });
  }

  /** Another name; a copy where the two lie on different file systems. */
  link(path: ByteString, target: ByteString): void {
    this.#named(path, (at, name) => {
      const source = splitPath(target);
      const from = { at: this.#folders.atPath(source.folder), name: source.name };
      try {
        makeHardLink(from.at, from.name, at, name);
      } catch (error) {
        if (errnoOf(error) !== "EXDEV") throw error;
        copyFile(from, { at, name });
      }
    });
  }

  finishFolder(folder: FileHead): void {
    this.#about(folder.path, () => {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY;
      const fd = openBeneath(this.#root, folder.path === "" ? SELF : folder.path, { flags });
      try {
        setOpenMetadata(fd, folder);
      } finally {
        closeSync(fd);
      }
    });
  }

  close(): void {
    this.#folders.close();
  }

  #writeFile(file: FileHead, { at, name }: { at: number; name: ByteString }, bytes: Uint8Array): void {
    const mode = file.mode & PERMISSIONS;
    const fd = createFile(at, name, mode);
    try {
      if (bytes.length > 0) writeOut(fd, bytes, 0);
      setNewMetadata(fd, file, { ...this.#own, mode: mode & ~this.#umask });
    } finally {
      closeSync(fd);
    }
  }

  #named(path: ByteString, work: (at: number, name: ByteString) => void): void {
    this.#about(path, () => {
      const { folder, name } = splitPath(path);
      work(this.#folders.atPath(folder), name);
    });
  }

  #about(path: ByteString, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw unpackError(error, path);
    }
  }
}

/** For less the call takes longer than it saves. */
const WORTH_STARTING = 256 * 1024;

const EMPTY = new Uint8Array();
const SELF = latin1(".");

/** The disk works while the processors do: left to itself, the kernel would hand it everything at the end. */
function writeOut(fd: number, bytes: Uint8Array, offset: number): void {
  writeWhole(fd, bytes, offset);
  if (bytes.length >= WORTH_STARTING) startWriting(fd, offset, bytes.length);
}

function writeExtents(fd: number, extents: readonly Segment[], bytes: Uint8Array): void {
  try {
    let at = 0;
    for (const { offset, size } of extents) {
      writeOut(fd, bytes.subarray(at, at + size), offset);
      at += size;
    }
  } finally {
    closeSync(fd);
  }
}
