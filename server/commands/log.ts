import { type DestinationStream, type Logger, pino } from "pino";
import type { ServerConfig } from "../../proto/config/server-config.ts";

export type Log = Logger;

/**
 * Structured lines on standard error. Errors keep their cause and stack here and nowhere else. Nothing logs a token, a key
 * or a claim; the names below are taken out all the same.
 */
export function openLog({ level }: ServerConfig["log"], destination?: DestinationStream): Log {
  const paths = [
    "token",
    "passphrase",
    "key",
    "claim",
    "authorization",
    "*.token",
    "*.passphrase",
    "*.key",
    "*.claim",
    "*.authorization",
  ];
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: { paths, censor: "[secret]" } },
    destination ?? pino.destination(2),
  );
}
