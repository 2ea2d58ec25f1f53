import { closeSync, constants, fstatSync, readSync } from "node:fs";
import type { IdOfName } from "../acl.ts";
import { byteStringOf } from "../byte-string.ts";
import { errnoOf } from "../native/call-error.ts";
import { openBeneath } from "../native/paths.ts";

const LARGEST_LIST = 16 << 20;

/** Users and groups by the tree's own /etc/passwd and /etc/group: those of the machine that unpacks it have nothing to do with it. */
export function namesOfTree(root: number): IdOfName {
  return idsOfLists(readSmall(root, "etc/passwd"), readSmall(root, "etc/group"));
}

/** The same from the texts of both files. */
export function idsOfLists(passwd: string, group: string): IdOfName {
  const lists = { user: idsIn(passwd), group: idsIn(group) };
  return (kind, name) => lists[kind].get(name);
}

function idsIn(list: string): ReadonlyMap<string, number> {
  const lines = list.split("\n");
  const ids = lines.map((line) => line.split(":")).filter(([, , id = ""]) => /^[0-9]{1,10}$/.test(id));
  return new Map(ids.map(([name = "", , id]) => [name, Number(id)]));
}

function readSmall(root: number, path: string): string {
  try {
    const fd = openBeneath(root, byteStringOf(path), { flags: constants.O_RDONLY | constants.O_NONBLOCK });
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size > LARGEST_LIST) return "";
      const content = Buffer.alloc(stat.size);
      return content.toString("utf8", 0, readSync(fd, content, 0, content.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return "";
  }
}
