import { createHash } from "node:crypto";
import { isOwned } from "../../../installer-agent/plan/owned-files.ts";
import { recordsOfTree } from "../../../proto/tree/compare/records-of-tree.ts";

/** Where an installed system has file systems that belong to no image. */
const MOUNTS = ["boot/efi/", "var/lib/hps/"];

/** Of each entry of a tree, but those that the installer owns, a digest of all that can be said of it. */
export function treeSums(root: string): Readonly<Record<string, string>> {
  const records = [...recordsOfTree(root).values()].filter(
    ({ path }) => !isOwned(path) && !MOUNTS.some((place) => path.startsWith(place)),
  );
  const plain = (_key: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  const sum = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);
  return Object.fromEntries(records.map((record) => [record.path, sum(JSON.stringify(record, plain))]));
}
