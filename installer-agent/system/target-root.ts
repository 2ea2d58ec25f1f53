import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

type Kind = "file" | "folder" | "link" | "other" | "nothing";

const NEW = ".hps-new";

/**
 * The tree of a system that is being installed, or another that holds the image's own links. Paths are below it, as
 * `etc/hostname`, and no link on their way is followed: it could lead to the installer's own files. Nothing of the image
 * runs while it is installed, so what was looked at stays. What is written is on disk, whole, or is as it was.
 */
export class TargetRoot {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is there; `nothing` also where the way to it leads over a link or a file. */
  async kind(path: string): Promise<Kind> {
    const parent = dirname(path);
    if (parent !== "." && (await this.kind(parent)) !== "folder") return "nothing";
    const found = await lstat(this.#at(path)).catch(() => undefined);
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
    const beside = await this.#prepare(path);
    {
      await using file = await open(beside, "wx", 0o600);
      await file.writeFile(content);
      await file.chmod(mode);
      await file.sync();
    }
    await this.#put(beside, path);
  }

  /** The same with a link to `target`. */
  async link(path: string, target: string): Promise<void> {
    const beside = await this.#prepare(path);
    await symlink(target, beside);
    await this.#put(beside, path);
  }

  /** Makes a folder, and those on the way to it, of root's; one that is there stays as it is. */
  async folder(path: string, mode = 0o755): Promise<void> {
    const parent = dirname(path);
    if (parent !== ".") await this.folder(parent);
    const kind = await this.kind(path);
    if (kind === "folder") return;
    if (kind !== "nothing") throw notAFolder(path, kind);
    await mkdir(this.#at(path), { mode });
  }

  /** Removes a file or a link; nothing there is well too. */
  async remove(path: string): Promise<void> {
    const kind = await this.kind(path);
    if (kind === "folder") throw notAFile(path);
    if (kind !== "nothing") await rm(this.#at(path));
  }

  async #prepare(path: string): Promise<string> {
    const parent = dirname(path);
    if (parent !== ".") await this.folder(parent);
    if ((await this.kind(path)) === "folder") throw notAFile(path);
    const beside = `${this.#at(path)}${NEW}`;
    await rm(beside, { force: true }); // of a run whose power was cut
    return beside;
  }

  async #put(beside: string, path: string): Promise<void> {
    await rename(beside, this.#at(path));
    await using folder = await open(dirname(this.#at(path)), constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync();
  }

  #at(path: string): string {
    const parts = path.split("/");
    if (parts.some((part) => ["", ".", ".."].includes(part))) throw new HpsError("internal", "not a path of the target");
    return join(this.path, ...parts);
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
