import { HpsError } from "../../../proto/values/hps-error.ts";

const NO_ROOM: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** What a failed write means to whoever sent the bytes: no room is theirs to know, the rest is hpsd's own. */
export function diskError(error: unknown, what: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (!NO_ROOM.includes(code)) return error;
  return new HpsError("exhausted", `there is no room for ${what} on hpsd's disk`, {
    hint: "delete images, or give hpsd's state folder more room; nothing of it was kept",
    cause: error,
  });
}
