import type { ByteString } from "../../proto/tree/byte-string.ts";
import type { TreeNode } from "../../proto/tree/walk/walk-tree.ts";
import { SCRUB_LIST } from "./scrub-list.ts";

interface Rule {
  readonly pattern: RegExp;
  readonly why: string;
  readonly filesOnly: boolean;
}

/** What was left out for one reason. */
export interface LeftOut {
  readonly why: string;
  /** Names, those below a folder that went whole not counted. */
  readonly count: number;
}

/** Decides what goes into an image of a running host, and counts what does not. */
export class Scrub {
  readonly #rules: readonly Rule[];
  readonly #counts = new Map<string, number>();

  /** `excluded`: what the operator does not want, patterns as those of the list. */
  constructor(excluded: readonly string[]) {
    const told = excluded.map((path) => ruleOf(path.replace(/^\/+/, ""), "what --exclude names", false));
    const own = SCRUB_LIST.flatMap(({ paths, why, files = false }) => paths.map((path) => ruleOf(path, why, files)));
    this.#rules = [...told, ...own];
  }

  leavesOut(path: ByteString, type: TreeNode["type"]): boolean {
    const rule = this.#rules.find(
      ({ pattern, filesOnly }) => !(filesOnly && type === "directory") && pattern.test(path),
    );
    if (rule === undefined) return false;
    this.#counts.set(rule.why, (this.#counts.get(rule.why) ?? 0) + 1);
    return true;
  }

  get leftOut(): readonly LeftOut[] {
    return [...this.#counts].map(([why, count]) => ({ why, count }));
  }
}

function ruleOf(path: string, why: string, filesOnly: boolean): Rule {
  // Paths of a tree are bytes, one character each.
  const bytes = Buffer.from(path, "utf8").toString("latin1");
  const source = bytes
    .split(/(\*\*\/|\/\*\*$|\*)/)
    .map((piece) => MEANINGS.get(piece) ?? piece.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join("");
  return { pattern: new RegExp(`^${source}$`, "s"), why, filesOnly };
}

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["**/", "(?:.*/)?"],
  ["/**", "/.+"],
  ["*", "[^/]*"],
]);
