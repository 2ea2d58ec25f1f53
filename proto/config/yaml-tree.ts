import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
} from "yaml";
import { HpsError } from "../values/hps-error.ts";
import { quote, safeText } from "../values/safe-text.ts";

/** A configuration before its schema: sections, lists and texts. */
export type Tree = string | Tree[] | { [key: string]: Tree };

/** A tree, and for each path (`pathKey`) where it was written: `hpsd.yaml:12:3`. */
export interface PlacedTree {
  readonly tree: Tree;
  readonly places: Map<string, string>;
}

export function pathKey(path: readonly PropertyKey[]): string {
  return path.map(String).join("\0");
}

/** Far above any configuration, far below what hurts: each alias counts as all it stands for. */
const LIMITS = { characters: 262_144, nodes: 20_000, depth: 32 } as const;

/**
 * Reads YAML so that every scalar is the text that was written (`007`, `null`, `yes` stay themselves): the failsafe schema.
 * Duplicate keys, keys without a value, unknown tags, several documents and what is beyond the limits are `invalid`.
 */
export function parseYamlTree(text: string, file: string): PlacedTree {
  if (text.length > LIMITS.characters)
    throw new HpsError("invalid", `${file}: longer than ${LIMITS.characters} characters`);
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const document = parsed(text, file, lines);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problemOf(problem, place(problem.pos[0]), text);
  const walk = new Walk(place);
  const root = document.contents;
  const empty = root === null || (isScalar(root) && root.type === "PLAIN" && root.value === "");
  const tree = empty ? Object.create(null) : walk.node(root, []);
  return { tree, places: walk.places };
}

function parsed(text: string, file: string, lineCounter: LineCounter) {
  try {
    // Keys are compared here and not by the library, which compares each with all before it.
    return parseDocument(text, { schema: "failsafe", lineCounter, prettyErrors: false, uniqueKeys: false });
  } catch (cause) {
    throw new HpsError("invalid", `${file}: nested too deeply to be read`, { cause });
  }
}

function problemOf({ code, message }: YAMLError, place: string, text: string): HpsError {
  const reason = code === "RESOURCE_EXHAUSTION" ? "nested too deeply" : safeText(message.slice(0, 200));
  const hint = text.includes("\t") ? "YAML is indented with spaces, not tabs" : "";
  return new HpsError("invalid", `${place}: ${reason}`, { hint });
}

/** One pass over a document: makes the tree, notes places, counts what it has made. */
class Walk {
  readonly places = new Map<string, string>();
  readonly #anchors = new Map<string, Node>();
  readonly #place: (offset: number) => string;
  #nodes = 0;

  constructor(place: (offset: number) => string) {
    this.#place = place;
  }

  node(node: Node, path: readonly string[]): Tree {
    this.#nodes += 1;
    if (this.#nodes > LIMITS.nodes) throw this.#error(node, `more than ${LIMITS.nodes} values, aliases counted`);
    if (path.length > LIMITS.depth) throw this.#error(node, `nested more than ${LIMITS.depth} deep`);
    if (isAlias(node)) return this.node(this.#target(node), path);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const key = pathKey(path);
    if (!this.places.has(key)) this.places.set(key, this.#placeOf(node));
    if (isMap<unknown, unknown>(node)) return this.#section(node.items, path);
    if (isSeq<unknown>(node)) return node.items.map((item, index) => this.#value(item, node, [...path, String(index)]));
    if (isScalar(node) && typeof node.value === "string") {
      if (node.value !== "" || node.type !== "PLAIN") return node.value;
      throw this.#error(
        node,
        `\`${nameOf(path)}\` has no value`,
        'give it one, write "" for an empty text, or remove it',
      );
    }
    throw this.#error(node, "not a text, list or section");
  }

  #section(pairs: readonly Pair<unknown, unknown>[], path: readonly string[]): Tree {
    const section: { [key: string]: Tree } = Object.create(null);
    for (const { key, value } of pairs) {
      if (!isScalar(key) || typeof key.value !== "string")
        throw new HpsError("invalid", `${this.places.get(pathKey(path)) ?? ""}: a key is not a text`);
      const inner = [...path, key.value];
      if (Object.hasOwn(section, key.value)) throw this.#error(key, `\`${nameOf(inner)}\` is written twice`);
      this.places.set(pathKey(inner), this.#placeOf(key));
      section[key.value] = this.#value(value, key, inner);
    }
    return section;
  }

  #value(value: unknown, near: Node, path: readonly string[]): Tree {
    if (isAlias(value) || isScalar(value) || isMap(value) || isSeq(value)) return this.node(value, path);
    throw this.#error(near, `\`${nameOf(path)}\` has no value`);
  }

  #target(alias: Alias): Node {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) throw this.#error(alias, `no anchor ${quote(alias.source)} before this`);
    return target;
  }

  #placeOf(node: Node): string {
    return this.#place(node.range?.[0] ?? 0);
  }

  #error(node: Node, message: string, hint = ""): HpsError {
    return new HpsError("invalid", `${this.#placeOf(node)}: ${message}`, { hint });
  }
}

/** A path as people write it, safe to show. */
export function nameOf(path: readonly PropertyKey[]): string {
  return safeText(path.map(String).join(".").slice(0, 120));
}
