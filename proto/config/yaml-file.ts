import type { z } from "zod";
import { HpsError } from "../values/hps-error.ts";
import { safeText } from "../values/safe-text.ts";
import { didYouMean } from "./did-you-mean.ts";
import { applyOverrides, type Overrides } from "./overrides.ts";
import { namesAt } from "./schema-paths.ts";
import { nameOf, type PlacedTree, parseYamlTree, pathKey, type Tree } from "./yaml-tree.ts";

export interface YamlFile extends Overrides {
  readonly text: string;
  /** The name shown in errors. */
  readonly file: string;
}

const SHOWN = 8;

/**
 * Reads YAML text, and what overrides it, against a schema whose leaves read text (`scalars.ts`).
 * Errors are `invalid` and name the place of each problem: `hpsd.yaml:12:3: unknown key ...`, `HPSD_LISTEN_GRPC: not a ...`.
 */
export function readYaml<Schema extends z.ZodType>(schema: Schema, source: YamlFile): z.output<Schema> {
  const file = safeText(source.file);
  const placed = parseYamlTree(source.text, file);
  applyOverrides(placed, schema, source);
  const result = schema.safeParse(placed.tree);
  if (result.success) return result.data;
  const issues = result.error.issues;
  const lines = issues.slice(0, SHOWN).flatMap((issue) => problemsOf(issue, schema, placed));
  const more = issues.length > SHOWN ? [`and ${issues.length - SHOWN} more`] : [];
  throw new HpsError("invalid", [...lines, ...more].join("; "), { hint: hintOf(issues[0]) });
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType, placed: PlacedTree): string[] {
  if (issue.code === "unrecognized_keys") {
    const known = namesAt(schema, issue.path);
    return issue.keys.slice(0, SHOWN).map((key) => {
      const near = didYouMean(key, known);
      const help = near === undefined ? ` (known here: ${known.join(", ")})` : `, did you mean \`${near}\`?`;
      return `${placeOf([...issue.path, key], placed)}: unknown key \`${nameOf([key])}\`${help}`;
    });
  }
  const place = placeOf(issue.path, placed);
  const name = nameOf(issue.path);
  const reason = reasonOf(issue, valueAt(placed.tree, issue.path));
  return [name === "" ? `${place}: ${reason}` : `${place}: \`${name}\`${issue.code === "custom" ? ":" : ""} ${reason}`];
}

const SHAPES: Readonly<Record<string, string>> = { string: "a text", array: "a list", object: "a section" };

function reasonOf(issue: z.core.$ZodIssue, value: Tree | undefined): string {
  if (issue.code === "custom") return issue.message;
  if (value === undefined) return "is missing";
  if (issue.code === "invalid_type") return `must be ${SHAPES[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return `must be one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "too_small") return `must have at least ${issue.minimum}`;
  if (issue.code === "too_big") return `must have at most ${issue.maximum}`;
  return `is wrong: ${issue.message}`;
}

/** Where the path, or the nearest thing around it, was written. */
function placeOf(path: readonly PropertyKey[], placed: PlacedTree): string {
  for (let length = path.length; length >= 0; length -= 1) {
    const place = placed.places.get(pathKey(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return "configuration";
}

function valueAt(tree: Tree, path: readonly PropertyKey[]): Tree | undefined {
  return path.reduce<Tree | undefined>((at, name) => {
    if (Array.isArray(at)) return at[Number(name)];
    return typeof at === "object" && Object.hasOwn(at, name) ? at[String(name)] : undefined;
  }, tree);
}

function hintOf(issue: z.core.$ZodIssue | undefined): string {
  const hint: unknown = issue?.code === "custom" ? issue.params?.hint : undefined;
  return typeof hint === "string" ? hint : "";
}
