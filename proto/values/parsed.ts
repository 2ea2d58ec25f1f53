import { z } from "zod";
import { HpsError } from "./hps-error.ts";

/** A zod type for text that one of our parsers reads; the parser's message and hint become the issue's. */
export function textOf<Value>(parse: (text: string) => Value) {
  return z.string().transform((text, context): Value => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
      context.addIssue({ code: "custom", message: error.message, params: { hint: error.hint } });
      return z.NEVER;
    }
  });
}

/** `value` as `schema` has it, else an `invalid` error naming `what` and the first wrong field. A message may quote what it refuses: not for secrets. */
export function parseShape<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  throw new HpsError("invalid", `${what}: ${field === "" ? "" : `${field}: `}${issue?.message ?? "wrong"}`);
}
