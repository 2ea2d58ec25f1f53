/** How followed installations are shown: drawn in place on a terminal, as lines off it, as JSON lines for programs. */
import type { JsonObject } from "@bufbuild/protobuf";
import {
  type Installation,
  type JournalEntry,
  type WatchInstallationResponse,
  WatchInstallationResponseSchema,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { exactJson } from "../output/exact-json.ts";
import { journalLine } from "../output/journal-line.ts";
import { note, protoJson } from "../output/print.ts";
import { StepsScreen } from "../output/steps-screen.ts";
import { write } from "../output/terminal.ts";
import { whatNext } from "../output/what-next.ts";
import type { Call } from "./call.ts";

const PROGRESS_SECONDS = 5n;

/** One installation that is followed. */
export interface Watched {
  readonly id: string;
  /** How its host is called, where several are shown. */
  readonly host?: string;
}

export interface WatchView extends Disposable {
  readonly show: (watched: Watched, event: WatchInstallationResponse) => Promise<void>;
}

export function watchView(call: Call, all: readonly Watched[]): WatchView {
  const { terminal, format } = call;
  const { stdout } = terminal;
  if (format === "json" || format === "yaml") return jsonLines(call);
  if (stdout.isTTY === true && terminal.environment.TERM !== "dumb") {
    const screen = new StepsScreen(
      terminal,
      all.map(({ id }) => id),
    );
    return {
      show: async (_, { installation }) => {
        if (installation !== undefined) screen.show(installation);
      },
      [Symbol.dispose]: () => screen[Symbol.dispose](),
    };
  }
  return plainLines(call, all.length > 1);
}

/** Each event whole; `host` stands before it when it was named. */
function jsonLines({ terminal }: Call): WatchView {
  const json = protoJson(WatchInstallationResponseSchema);
  const show: WatchView["show"] = async ({ host }, event) => {
    const value = json(event);
    const whole: JsonObject = isObject(value) ? value : {};
    await write(terminal.stdout, `${exactJson(host === undefined ? whole : { host, ...whole }, 0)}\n`);
  };
  return { show, [Symbol.dispose]: () => undefined };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The journal's lines; what an installation waits for is said on stderr, once each time. */
function plainLines({ terminal }: Call, many: boolean): WatchView {
  const sparse = sparseProgress();
  const told = new Map<string, string>();
  const show: WatchView["show"] = async ({ id, host = id }, { entry, installation }) => {
    const before = many ? `${host}: ` : "";
    const line = entry === undefined || !sparse(id, entry) ? undefined : journalLine(entry);
    if (line !== undefined) await write(terminal.stdout, `${before}${line}\n`);
    for (const text of news(told, installation)) await note(terminal, `${before}${text}`);
  };
  return { show, [Symbol.dispose]: () => undefined };
}

/** What to do next, when that is not what was said last. */
function news(told: Map<string, string>, installation: Installation | undefined): readonly string[] {
  if (installation === undefined) return [];
  const next = whatNext(installation);
  const text = next.join("\n");
  if ((told.get(installation.id) ?? "") === text) return [];
  told.set(installation.id, text);
  return next;
}

/** Lets through one report of progress a step in so many seconds, and all else. */
function sparseProgress(): (id: string, entry: JournalEntry) => boolean {
  const shown = new Map<string, bigint>();
  return (id, { time, entry }) => {
    const event = entry.case === "event" ? entry.value.event : undefined;
    if (event?.case !== "stepProgress") return true;
    const key = `${id} ${event.value.step}`;
    const now = time?.seconds ?? 0n;
    if (now - (shown.get(key) ?? -PROGRESS_SECONDS) < PROGRESS_SECONDS) return false;
    shown.set(key, now);
    return true;
  };
}
