import type { z } from "zod";
import { HpsError } from "../values/hps-error.ts";
import { quote, safeText } from "../values/safe-text.ts";
import { didYouMean } from "./did-you-mean.ts";
import { type Setting, settingsOf } from "./schema-paths.ts";
import { type PlacedTree, pathKey, type Tree } from "./yaml-tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What stands over the file. Flags win over the environment. */
export interface Overrides {
  /** `HPSD` reads `HPSD_LISTEN_GRPC` for `listen.grpc`. */
  readonly prefix?: string;
  readonly environment?: Environment;
  /** Variables with the prefix that are not settings: where the file is, say. */
  readonly otherVariables?: readonly string[];
  /** Values of `--set`: `listen.grpc=127.0.0.1:7443`. */
  readonly sets?: readonly string[];
}

/** The variable for a setting: `boot.leaseTime` under `HPSD` is `HPSD_BOOT_LEASE_TIME`. */
function variableOf(prefix: string, path: readonly string[]): string {
  return [prefix, ...path.map((name) => name.replace(/[A-Z]/g, "_$&").toUpperCase())].join("_");
}

/** Puts the overrides into `placed`, each with its own name as its place, for the schema to judge like the rest. */
export function applyOverrides(placed: PlacedTree, schema: z.core.$ZodType, overrides: Overrides): void {
  const settings = settingsOf(schema);
  fromEnvironment(placed, settings, overrides);
  const byName = new Map(settings.map((setting) => [setting.path.join("."), setting]));
  for (const set of overrides.sets ?? []) {
    const at = set.indexOf("=");
    if (at < 0)
      throw new HpsError("invalid", `--set ${quote(set)} has no value`, {
        hint: "write --set listen.grpc=0.0.0.0:7443",
      });
    const name = set.slice(0, at);
    const setting = byName.get(name);
    if (setting === undefined)
      throw unknown(`--set ${safeText(name.slice(0, 64))}: unknown setting`, name, [...byName.keys()]);
    put(placed, setting, { text: set.slice(at + 1), place: `--set ${name}` });
  }
}

function fromEnvironment(placed: PlacedTree, settings: readonly Setting[], overrides: Overrides): void {
  const { prefix, environment = {}, otherVariables = [] } = overrides;
  if (prefix === undefined) return;
  const byVariable = new Map(settings.map((setting) => [variableOf(prefix, setting.path), setting]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(`${prefix}_`) || text === undefined || otherVariables.includes(variable)) continue;
    const setting = byVariable.get(variable);
    if (setting === undefined) {
      throw unknown(`unknown environment variable ${safeText(variable.slice(0, 64))}`, variable, [
        ...byVariable.keys(),
      ]);
    }
    put(placed, setting, { text, place: variable });
  }
}

function put(placed: PlacedTree, setting: Setting, given: { readonly text: string; readonly place: string }): void {
  const { path, list } = setting;
  const last = path.at(-1) ?? "";
  const parent = path.slice(0, -1).reduce<Tree | undefined>(section, placed.tree);
  if (typeof parent !== "object" || Array.isArray(parent)) return; // the file has something else there, and the schema says so
  parent[last] = list
    ? given.text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "")
    : given.text;
  const key = pathKey(path);
  for (const old of [...placed.places.keys()]) if (old.startsWith(`${key}\0`)) placed.places.delete(old);
  placed.places.set(key, given.place);
}

/** The section `name` of `tree`, made when it is missing. */
function section(tree: Tree | undefined, name: string): Tree | undefined {
  if (typeof tree !== "object" || Array.isArray(tree)) return undefined;
  if (!Object.hasOwn(tree, name)) tree[name] = Object.create(null);
  return tree[name];
}

function unknown(message: string, name: string, known: readonly string[]): HpsError {
  const near = didYouMean(name, known);
  return new HpsError("invalid", near === undefined ? message : `${message}, did you mean ${near}?`, {
    hint: `known: ${known.join(", ")}`,
  });
}
