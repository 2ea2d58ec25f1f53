import { HpsError } from "../proto/values/hps-error.ts";
import { quote, safeText } from "../proto/values/safe-text.ts";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Fields = Readonly<Record<string, string | number | boolean>>;

/** Lines for a console and for the machine that collects it. Never given a secret. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: Fields) => void>>;

/** Writes `TIME LEVEL message key=value`, one line each, made safe for a terminal. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const least = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel) => (message: string, fields?: Fields) => {
    if (LOG_LEVELS.indexOf(own) <= least) {
      write(`${new Date().toISOString()} ${own.padEnd(5)} ${safeText(message)}${fieldsText(fields)}\n`);
    }
  };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

/** What happened, in words for a reader; what is not an HpsError says only its kind, for its text may quote anything. */
export function describeError(error: unknown): string {
  if (error instanceof HpsError) return error.hint === "" ? error.message : `${error.message} (${error.hint})`;
  return `internal error: ${error instanceof Error ? error.name : typeof error}`;
}

/** Fields as they stand behind a message, each with a space before it. */
export function fieldsText(fields: Fields = {}): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${/^[\w.:/+-]+$/.test(String(value)) ? value : quote(String(value), 500)}`)
    .join("");
}
