import { join } from "node:path";
import { DIRECTORY, EXECUTABLE } from "../../../proto/tree/cpio.ts";
import { DHCP_EVENT, DHCP_PATH, INIT, INIT_PATH, UEVENT, UEVENT_PATH } from "./init-script.ts";
import { isModuleFile } from "./kernel-modules.ts";
import { LIBRARIES, LOADER, librariesOf } from "./programs.ts";
import { type ProgramPlace, runProgram } from "./run-program.ts";
import { characterDevice, copy, copyTree, folder, type StagedFile, symlink, text } from "./staged-file.ts";
import type { Unpacked } from "./unpacked.ts";

const STICKY = DIRECTORY | 0o1777;
const PRIVATE = 0o040_700;
const FOLDERS = ["dev", "etc", "etc/hps", "mnt", "opt", "proc", "run", "sys", "target", "usr", "var"];

const ETC: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
  group: "root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

/** Everything of the first file system but drivers and agent: folders, busybox with all it can be called, start scripts, the C library's files for `programs`. */
export async function baseSystem(
  programs: readonly string[],
  { unpacked, place }: { readonly unpacked: Unpacked; readonly place: ProgramPlace },
): Promise<readonly StagedFile[]> {
  const busybox = unpacked.need("bin/busybox");
  const applets = (await runProgram([busybox, "--list-full"], place))
    .toString()
    .split("\n")
    .filter((path) => path !== "");
  return [
    ...FOLDERS.map((path) => folder(path)),
    folder("root", PRIVATE),
    folder("tmp", STICKY),
    characterDevice("dev/console", 5, 1),
    characterDevice("dev/null", 1, 3),
    text(INIT_PATH, INIT, EXECUTABLE),
    text(UEVENT_PATH, UEVENT, EXECUTABLE),
    text(DHCP_PATH, DHCP_EVENT, EXECUTABLE),
    ...Object.entries(ETC).map(([name, content]) => text(`etc/${name}`, content)),
    copy("etc/mke2fs.conf", unpacked.need("etc/mke2fs.conf")),
    copy("bin/busybox", busybox),
    ...appletLinks(applets),
    copy(LOADER, unpacked.need(LOADER)),
    ...[...librariesOf(programs, unpacked)].map(([name, file]) => copy(`${LIBRARIES}/${name}`, file)),
  ];
}

/** The tools image is mounted over /usr, so busybox is called from /bin and /sbin. */
function appletLinks(applets: readonly string[]): StagedFile[] {
  return applets
    .map((path) => path.replace(/^usr\//, ""))
    .filter((path) => /^s?bin\/[^/]+$/.test(path) && path !== "bin/busybox")
    .map((path) => symlink(path, "/bin/busybox"));
}

/** The drivers as `stageModules` left them. */
export function driverFiles(staged: string): readonly StagedFile[] {
  return copyTree("lib/modules", join(staged, "lib/modules"), isModuleFile);
}
