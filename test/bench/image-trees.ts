/** The trees that images are measured with: Debian with a kernel, as it was released and with all updates; and as others keep them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesOf } from "../../proto/tree/byte-string.ts";
import { lockFile } from "../lab/file-lock.ts";
import { CACHE } from "../lab/vm/boot-files.ts";
import { changesBetween } from "./image-changes.ts";

const PACKAGES = "linux-image-cloud-amd64,systemd-sysv,openssh-server,ca-certificates,curl,python3";
const MIRROR = "http://deb.debian.org/debian";
const RELEASE = [`deb ${MIRROR} bookworm main`];
const UPDATES = [
  `deb ${MIRROR} bookworm-updates main`,
  "deb http://deb.debian.org/debian-security bookworm-security main",
];
/** Two systems, one after the other; another bench may be before us. */
const PATIENCE_MS = 40 * 60_000;
/** A level above what archives are made with by default: theirs is as tight as our frames are. */
const LEVEL = 9;
/** Changes when what is made of the trees does. */
const EDITION = 1;

/**
 * A folder with the trees `old` and `new`, `old.tar.zst`, `new.tar.zst`, `changed.tar.zst`, the list `removed`, casync's `old.caidx`,
 * `new.caidx` and `casync.castr`, and `ostree`, a repository with branches `old` and `new` and a static delta between them.
 * Made once and kept beside the lab's artifacts.
 */
export async function debianTrees(say: (text: string) => void): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  await using _lock = await lockFile(join(CACHE, "bench-image.lock"), PATIENCE_MS);
  const about = JSON.stringify([PACKAGES, RELEASE, UPDATES, EDITION]);
  const folder = join(CACHE, `bench-image-${createHash("sha256").update(about).digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part);
  for (const [name, sources] of [
    ["old", RELEASE],
    ["new", [...RELEASE, ...UPDATES]],
  ] as const) {
    const archive = archiveOf(name);
    say(`${name}: mmdebstrap`);
    if (!existsSync(archive)) {
      const words = [
        "--quiet",
        "--variant=minbase",
        `--include=${PACKAGES}`,
        "bookworm",
        `${archive}.part`,
        ...sources,
      ];
      execFileSync("mmdebstrap", ["--format=tar", ...words], { stdio: ["ignore", "ignore", "inherit"] });
      await rename(`${archive}.part`, archive);
    }
    await mkdir(join(part, name));
    // Device nodes are made by the kernel; OSTree takes none.
    const extract = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*", "-xf", archive];
    execFileSync("tar", [...extract, "-C", join(part, name)]);
  }
  await keepAsOthersDo(part, say);
  await rename(part, folder);
  for (const name of ["old", "new"]) await rm(archiveOf(name));
  return folder;
}

const archiveOf = (name: string) => join(CACHE, `bench-image-${name}.tar`);

/** Makes all the rest of such a folder out of its trees. */
export async function keepAsOthersDo(folder: string, say: (text: string) => void): Promise<void> {
  const { changed, removed } = changesBetween(join(folder, "old"), join(folder, "new"));
  const list = (paths: typeof changed) => Buffer.concat(paths.flatMap((path) => [bytesOf(path), Buffer.of(0)]));
  await writeFile(join(folder, "changed"), list(changed));
  await writeFile(join(folder, "removed"), list(removed));
  for (const [what, script] of Object.entries(KEEPERS)) {
    say(what);
    execFileSync("bash", ["-ec", `set -o pipefail; ${script}`], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
}

const TAR = "tar --sort=name --numeric-owner --xattrs --xattrs-include='*' --acls";

/** OSTree's static delta is by rolling sums alone: with bsdiff, as it is by default, it did not come to an end in seven minutes. */
const KEEPERS = {
  archives: `
    for tree in old new; do ${TAR} -C $tree -cf - . | zstd -q -${LEVEL} -T0 -o $tree.tar.zst; done
    ${TAR} -C new -cf - --no-recursion --null -T changed | zstd -q -${LEVEL} -T0 -o changed.tar.zst`,
  casync: `
    for tree in old new; do casync make --store=casync.castr $tree.caidx $tree; done`,
  ostree: `
    ostree init --mode=archive --repo=ostree
    for tree in old new; do ostree commit --repo=ostree -b $tree -s $tree --tree=dir=$tree; done
    ostree static-delta generate --repo=ostree --disable-bsdiff --from=old --to=new >ostree.log 2>&1
    ostree summary --repo=ostree -u`,
};
