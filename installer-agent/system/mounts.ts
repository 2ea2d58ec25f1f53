import { readFile } from "node:fs/promises";

/** A mounted file system, as /proc/self/mountinfo has it. */
export interface Mount {
  /** `8:1`: of the device. */
  readonly device: string;
  readonly place: string;
  readonly type: string;
}

/** All mounts of this process, in the order they were made. */
export async function readMounts(file = "/proc/self/mountinfo"): Promise<readonly Mount[]> {
  return parseMounts(await readFile(file, "latin1"));
}

/** proc(5); the text is latin1, for places may be any bytes. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , device, , place] = left.split(" ");
    const [type] = right.split(" ");
    if (device === undefined || place === undefined || type === undefined) return [];
    return [{ device, place: unescaped(place), type }];
  });
}

/** Whether the system runs from memory, as the installer does and no installed system or container. */
export function runsFromMemory(mounts: readonly Mount[]): boolean {
  const root = mounts.findLast(({ place }) => place === "/");
  return root !== undefined && ["rootfs", "ramfs", "tmpfs"].includes(root.type);
}

function unescaped(text: string): string {
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
