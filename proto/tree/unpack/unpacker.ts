import { closeSync, constants, ftruncateSync, lstatSync } from "node:fs";
import { HpsError } from "../../values/hps-error.ts";
import { ACL_ACCESS, ACL_DEFAULT, aclBytes } from "../acl.ts";
import { type ByteString, bytesOf, joinParts, latin1, showName } from "../byte-string.ts";
import { CallError, errnoOf } from "../native/call-error.ts";
import {
  createFile,
  makeDirectory,
  makeHardLink,
  makeSymlink,
  openBeneath,
  openDirectoryBeneath,
} from "../native/paths.ts";
import { setXattr } from "../native/xattrs.ts";
import type { AclTexts, TarEntry, TarHandler } from "../tar/entry.ts";
import { copyFile, writeWhole } from "./copy-file.ts";
import { Directories } from "./directories.ts";
import { Budget, type UnpackLimits } from "./limits.ts";
import { setNamedMetadata, setOpenMetadata, throughProc } from "./metadata.ts";
import { makeNodeOf, type NodeType } from "./node.ts";
import { removeTree } from "./remove.ts";
import { safeParts } from "./safe-path.ts";
import { namesOfTree } from "./target-names.ts";
import { folderInPlace, unpackError, wrongRoot } from "./unpack-error.ts";

export interface UnpackerOptions {
  readonly limits: UnpackLimits;
  readonly devices: "create" | "refuse";
  /** A folder whose name something else wants: it goes with all it holds, which is the default, or stays and that is an error. */
  readonly folders?: "replace" | "keep";
  /** Owner, mode and times of a folder that was there before: the archive's, which is the default, or as they are. */
  readonly found?: "change" | "leave";
}

/** A place in the tree: an open folder, a name in it, and both as one path. */
interface Place {
  readonly at: number;
  readonly name: ByteString;
  readonly path: ByteString;
}

/**
 * Makes below `root` (an open directory, the caller's) what it is told. Blocks the thread for each call. Folders get their
 * owners, modes and times in `finish`, when nothing is written into them any more: until then they are root's alone.
 */
export class Unpacker implements TarHandler {
  readonly #root: number;
  readonly #options: UnpackerOptions;
  readonly #directories: Directories;
  readonly budget: Budget;
  readonly #folders = new Map<ByteString, TarEntry>();
  readonly #acls = new Map<ByteString, AclTexts>();
  /** A folder was replaced: it and others in the lists above may be gone. */
  #replaced = false;
  #entry: TarEntry | undefined;
  #file: number | undefined;

  constructor(root: number, options: UnpackerOptions) {
    this.#root = root;
    this.#options = options;
    this.#directories = new Directories(root);
    this.budget = new Budget(options.limits);
  }

  entry(entry: TarEntry): void {
    this.budget.addEntry(entry.path);
    this.#entry = entry;
    const parts = safeParts(entry.path, this.#options.limits.depth);
    this.#named(entry.path, () => {
      const path = joinParts(parts);
      const name = parts.pop();
      if (name === undefined) this.#rootEntry(entry);
      else this.#make(entry, { at: this.#directories.at(parts), name, path });
      this.#keepAcls(entry, path);
    });
  }

  data(bytes: Uint8Array, offset: number): void {
    const { path } = this.#current();
    this.budget.addBytes(bytes.length, path);
    const file = this.#file;
    if (file !== undefined) this.#named(path, () => writeWhole(file, bytes, offset));
  }

  done(): void {
    const entry = this.#current();
    const file = this.#file;
    if (file === undefined) return;
    this.#named(entry.path, () => {
      if (entry.segments !== undefined) ftruncateSync(file, entry.size);
      setOpenMetadata(file, entry);
    });
    this.#file = undefined;
    closeSync(file);
  }

  /** What had to wait for the last entry; gives one turn after another, so that the caller may pause between them. */
  *finish(): Generator<void> {
    for (const [path, entry] of [...this.#folders].reverse()) {
      this.#finishing(entry.path, () => this.#finishFolder(path, entry));
      yield;
    }
    if (this.#acls.size === 0) return;
    const idOfName = namesOfTree(this.#root);
    for (const [path, texts] of this.#acls) {
      this.#finishing(path, () => this.#setAcls(path, texts, (text) => aclBytes(text, idOfName, path)));
      yield;
    }
  }

  /** Also after an error. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#directories.close();
  }

  #current(): TarEntry {
    if (this.#entry === undefined) throw new Error("content before an entry");
    return this.#entry;
  }

  #named<Result>(path: ByteString, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw unpackError(error, path);
    }
  }

  #finishing(path: ByteString, work: () => void): void {
    try {
      this.#named(path, work);
    } catch (error) {
      const isGone = error instanceof HpsError && GONE.has(error.details.errno ?? "");
      if (!(this.#replaced && isGone)) throw error;
    }
  }

  #rootEntry(entry: TarEntry): void {
    if (entry.type !== "directory") throw wrongRoot(entry);
    if (this.#options.found !== "leave") this.#keepFolder(ROOT, entry);
  }

  #make(entry: TarEntry, place: Place): void {
    switch (entry.type) {
      case "file":
        this.#file = this.#replacing(place, () => createFile(place.at, place.name, 0o600));
        break;
      case "directory":
        this.#makeFolder(entry, place);
        break;
      case "symlink":
        this.#replacing(place, () => makeSymlink(entry.link, place.at, place.name));
        setNamedMetadata(place.at, place.name, entry);
        break;
      case "hardlink":
        this.#makeLink(entry, place);
        break;
      default:
        this.#makeNode(entry, entry.type, place);
    }
  }

  #makeFolder(entry: TarEntry, place: Place): void {
    try {
      makeDirectory(place.at, place.name, 0o700);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      if (!isFolder(place)) this.#replacing(place, () => makeDirectory(place.at, place.name, 0o700));
      else if (this.#options.found === "leave" && !this.#folders.has(place.path)) return;
    }
    this.#keepFolder(place.path, entry);
  }

  #makeNode(entry: TarEntry, type: NodeType, place: Place): void {
    if (type !== "fifo" && this.#options.devices === "refuse") {
      throw new HpsError(
        "denied",
        `the archive holds the device ${showName(entry.path)}, and devices are not wanted here`,
      );
    }
    this.#replacing(place, () => makeNodeOf(place, type, entry));
    setNamedMetadata(place.at, place.name, entry);
  }

  #makeLink(entry: TarEntry, place: Place): void {
    const parts = safeParts(entry.link, this.#options.limits.depth);
    const name = parts.pop();
    if (name === undefined) throw new HpsError("invalid", `${showName(entry.path)} is a hard link to the tree's root`);
    if (joinParts([...parts, name]) === place.path) {
      // Nothing to do, but it must be there.
      if (lstatSync(bytesOf(throughProc(place.at, place.name))).isDirectory()) throw linkToFolder(entry);
      return;
    }
    const from = { at: openParent(this.#root, parts), name };
    try {
      this.#replacing(place, () => makeHardLink(from.at, name, place.at, place.name));
    } catch (error) {
      if (errnoOf(error) === "EPERM") throw linkToFolder(entry);
      if (errnoOf(error) !== "EXDEV") throw error;
      this.budget.addBytes(
        this.#replacing(place, () => copyFile(from, place)),
        entry.path,
      );
    } finally {
      closeSync(from.at);
    }
  }

  /** Does `make`; when something bears that name already, removes it first. */
  #replacing<Result>(place: Place, make: () => Result): Result {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const replaced = isFolder(place);
    if (replaced && this.#options.folders === "keep") throw folderInPlace(place.path);
    this.#directories.forget(place.path);
    this.#replaced ||= replaced;
    removeTree(place.at, place.name);
    return make();
  }

  #keepFolder(path: ByteString, entry: TarEntry): void {
    const size = entry.xattrs.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
    this.budget.addKept(2 * path.length + size + 256, entry.path);
    this.#folders.delete(path);
    this.#folders.set(path, entry);
  }

  #keepAcls(entry: TarEntry, path: ByteString): void {
    const { access = "", default: byDefault = "" } = entry.acls;
    this.#acls.delete(path);
    if (access === "" && byDefault === "") return;
    this.budget.addKept(path.length + access.length + byDefault.length + 256, entry.path);
    this.#acls.set(path, entry.acls);
  }

  #finishFolder(path: ByteString, entry: TarEntry): void {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    const fd = openBeneath(this.#root, path === ROOT ? SELF : path, { flags });
    try {
      setOpenMetadata(fd, entry);
    } finally {
      closeSync(fd);
    }
  }

  #setAcls(path: ByteString, texts: AclTexts, bytes: (text: ByteString) => Buffer): void {
    const parts = safeParts(path, this.#options.limits.depth);
    const name = parts.pop() ?? SELF;
    const place = throughProc(this.#directories.at(parts), name);
    if (texts.access !== undefined) setXattr(place, ACL_ACCESS, bytes(texts.access));
    if (texts.default !== undefined) setXattr(place, ACL_DEFAULT, bytes(texts.default));
  }
}

const GONE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

const ROOT = latin1("");
const SELF = latin1(".");

function isFolder(place: Place): boolean {
  try {
    closeSync(openDirectoryBeneath(place.at, place.name));
    return true;
  } catch (error) {
    if (error instanceof CallError && (error.code === "ELOOP" || error.code === "ENOTDIR")) return false;
    throw error;
  }
}

/** Opened anew, not made: a hard link to what is not there is an error. */
function openParent(root: number, parts: readonly ByteString[]): number {
  return openDirectoryBeneath(root, parts.length === 0 ? SELF : joinParts(parts));
}

function linkToFolder(entry: TarEntry): HpsError {
  return new HpsError("invalid", `${showName(entry.path)} is a hard link to a folder, or to what cannot have one`);
}
