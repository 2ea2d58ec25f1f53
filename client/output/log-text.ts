import type { LogLine } from "../../proto/gen/hps/v1/installation_pb.ts";
import { safeBytes, safeText } from "../../proto/values/safe-text.ts";

/** `storage: wiping /dev/vda`: one line of an installation's log, safe for a terminal. */
export function logText({ source, text }: Pick<LogLine, "source" | "text">): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === 0x0a || text[end - 1] === 0x0d)) end -= 1;
  return `${safeText(source)}: ${safeBytes(text.subarray(0, end))}`;
}
