import { z } from "zod";

/*
 * What a configuration schema knows about itself: the names a section has, and every setting with its path.
 * From these come "did you mean", the environment's names and the flags'.
 */

/** One setting: a text, or a list of texts. */
export interface Setting {
  readonly path: readonly string[];
  readonly list: boolean;
}

/** The names the section at `path` knows; none when there is no section. */
export function namesAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const found = path.reduce<z.core.$ZodType | undefined>(
    (at, name) => (at === undefined ? at : inner(at, name)),
    bare(schema),
  );
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** Every setting of the schema, sections walked, lists of sections left out: those are for files alone. */
export function settingsOf(schema: z.core.$ZodType, path: readonly string[] = []): Setting[] {
  const type = bare(schema);
  if (type instanceof z.ZodObject) {
    return Object.entries(type.shape).flatMap(([name, child]) => settingsOf(child, [...path, name]));
  }
  if (!(type instanceof z.ZodArray)) return [{ path, list: false }];
  return bare(type.element) instanceof z.ZodObject ? [] : [{ path, list: true }];
}

function inner(type: z.core.$ZodType, name: PropertyKey): z.core.$ZodType | undefined {
  if (type instanceof z.ZodArray) return bare(type.element);
  if (!(type instanceof z.ZodObject) || !Object.hasOwn(type.shape, name)) return undefined;
  return bare(type.shape[String(name)]);
}

/** The type under "may be left out" and "is this when left out". */
function bare(type: z.core.$ZodType): z.core.$ZodType {
  return type instanceof z.ZodOptional || type instanceof z.ZodPrefault ? bare(type.unwrap()) : type;
}
