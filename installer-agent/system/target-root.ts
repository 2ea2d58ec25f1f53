import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setFileTimes } from "../../proto/tree/native/paths.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

type Kind = "file" | "folder" | "link" | "other" | "nothing";

const NEW = ".hps-new";

/**
 * The tree of a system that is being installed, or another that holds the image's own links. Paths are below it, as
 * `etc/hostname`, and no link on their way is followed: it could lead to the installer's own files. Nothing of the image
 * runs while it is installed, so what was looked at stays. What is written is on disk, whole, or is as it was; folders
 * of the image keep their times.
 */
export class TargetRoot {
  readonly path: string;
  readonly #fat: boolean;

  /** `fat`: its file system has no owners and modes. */
  constructor(path: string, { fat = false } = {}) {
    this.path = path;
    this.#fat = fat;
  }

  /** What is there; `nothing` also where the way to it leads over a link or a file. */
  async kind(path: string): Promise<Kind> {
    const at = this.#at(path);
    const parent = dirname(path);
    if (parent !== "." && (await this.kind(parent)) !== "folder") return "nothing";
    const found = await lstat(at).catch(() => undefined);
    if (found === undefined) return "nothing";
    if (found.isSymbolicLink()) return "link";
    if (found.isDirectory()) return "folder";
    return found.isFile() ? "file" : "other";
  }

  /** The first of these that is a file or a link, for programs that distributions keep in different places. */
  async has(...paths: readonly string[]): Promise<boolean> {
    for (const path of paths) if (["file", "link"].includes(await this.kind(path))) return true;
    return false;
  }

  /** Names in a folder, sorted; none when there is no such folder. */
  async list(path: string): Promise<readonly string[]> {
    return (await this.kind(path)) === "folder" ? (await readdir(this.#at(path))).toSorted() : [];
  }

  /** Where a link leads, as its text says; undefined when it is none. */
  async linkText(path: string): Promise<string | undefined> {
    return (await this.kind(path)) === "link" ? readlink(this.#at(path)) : undefined;
  }

  /** A short file's text; undefined where there is no regular file or it is longer than a mebibyte. */
  async text(path: string): Promise<string | undefined> {
    if ((await this.kind(path)) !== "file") return undefined;
    await using file = await open(this.#at(path), constants.O_RDONLY | constants.O_NOFOLLOW);
    return (await file.stat()).size > 1024 ** 2 ? undefined : file.readFile("utf8");
  }

  /** Puts a file of root's in the place of whatever was there, unless that is a folder. */
  async write(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    await using folder = await this.#folderOf(path);
    const beside = await this.#beside(path);
    await using file = await open(beside, "wx", 0o600);
    await file.writeFile(content);
    if (!this.#fat) await file.chmod(mode);
    await file.sync();
    await rename(beside, this.#at(path));
    // Linux's vfat gives the new name an empty entry, and tells it of size and clusters when it next writes the inode.
    if (this.#fat) await file.sync();
    await folder.settle();
  }

  /** The same with a link to `target`. */
  async link(path: string, target: string): Promise<void> {
    await using folder = await this.#folderOf(path);
    const beside = await this.#beside(path);
    await symlink(target, beside);
    await rename(beside, this.#at(path));
    await folder.settle();
  }

  /** Makes a folder, and those on the way to it, of root's; one that is there stays as it is. */
  async folder(path: string, mode = 0o755): Promise<void> {
    const kind = await this.kind(path);
    if (kind === "folder") return;
    if (kind !== "nothing") throw notAFolder(path, kind);
    await using above = await this.#folderOf(path);
    await mkdir(this.#at(path), { mode });
    await above.settle();
  }

  /** Removes a file or a link; nothing there is well too. */
  async remove(path: string): Promise<void> {
    const kind = await this.kind(path);
    if (kind === "folder") throw notAFile(path);
    if (kind === "nothing") return;
    await using folder = await this.#folderOf(path);
    await rm(this.#at(path));
    await folder.settle();
  }

  /** The folder that holds `path`, made when it is missing. */
  async #folderOf(path: string): Promise<OpenFolder> {
    const at = this.#at(path);
    const parent = dirname(path);
    if (parent !== ".") await this.folder(parent);
    return OpenFolder.open(dirname(at));
  }

  async #beside(path: string): Promise<string> {
    if ((await this.kind(path)) === "folder") throw notAFile(path);
    const beside = `${this.#at(path)}${NEW}`;
    await rm(beside, { force: true }); // of a run whose power was cut
    return beside;
  }

  #at(path: string): string {
    const parts = path.split("/");
    if (parts.some((part) => ["", ".", ".."].includes(part)))
      throw new HpsError("internal", "not a path of the target");
    return join(this.path, ...parts);
  }
}

/** A folder about to be changed. */
class OpenFolder implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #modified: bigint;

  private constructor(handle: FileHandle, modified: bigint) {
    this.#handle = handle;
    this.#modified = modified;
  }

  static async open(path: string): Promise<OpenFolder> {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    return new OpenFolder(handle, (await handle.stat({ bigint: true })).mtimeNs);
  }

  /** Gives it its time back, and waits until the change is on disk. */
  async settle(): Promise<void> {
    setFileTimes(this.#handle.fd, this.#modified);
    await this.#handle.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

function notAFolder(path: string, kind: Kind): HpsError {
  const what = kind === "link" ? "a link" : "a file";
  return new HpsError("precondition", `the image has ${what} at ${quote(`/${path}`)}, where HPS needs a folder`, {
    hint: "make it a folder in the image",
  });
}

function notAFile(path: string): HpsError {
  return new HpsError("precondition", `the image has a folder at ${quote(`/${path}`)}, where HPS writes a file`, {
    hint: "leave it out of the image",
  });
}
