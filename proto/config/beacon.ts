import { z } from "zod";
import { HpsError } from "../values/hps-error.ts";
import { parseMac } from "../values/mac.ts";
import { parseShape, textOf } from "../values/parsed.ts";
import { parseUuid } from "../values/uuid.ts";

/*
 * The beacon: what an installer that is not attached tells hpsd by plain HTTP, so that an operator learns why no agent comes. Nothing
 * proves it and it changes nothing but the log of the installation that holds the host.
 */

/** Where it is posted to, below the boot door's URL. */
export const BEACON_PATH = "/boot/v1/beacon";
/** What the kernel's command line calls the boot door's URL, `hps.boot=http://10.0.0.1:7080`; a machine booted from a medium has none. */
export const BOOT_URL_ARGUMENT = "hps.boot";
/** What it calls the MAC address of the NIC that the machine booted from. */
export const BOOT_MAC_ARGUMENT = "hps.mac";
/** Longest body hpsd reads: the log as JSON may be six times its size. */
export const BEACON_LIMIT = 32_768;
/** The last so many bytes of the log. */
export const BEACON_LOG_BYTES = 4_096;

const REASON_LIMIT = 1_024;
const STEP_LIMIT = 64;

const text = (limit: number) =>
  z
    .string()
    .max(limit)
    .refine((value) => value.isWellFormed(), "is not Unicode");

/** Keys it does not know are dropped: a newer agent may say more to an older server. */
const beaconSchema = z.object({
  /** The NIC that the machine booted from. */
  mac: textOf(parseMac),
  installation: textOf(parseUuid).optional(),
  /** What it does or could not do. */
  step: text(STEP_LIMIT),
  /** Why it does not get on; empty while it does. */
  reason: text(REASON_LIMIT),
  log: text(BEACON_LOG_BYTES),
});

export type Beacon = z.output<typeof beaconSchema>;

/** The body of the request. What is too long is cut: of the log its end is kept, of the rest the beginning. */
export function formatBeacon({ step, reason, log, ...who }: Beacon): string {
  const tail = Buffer.from(log.toWellFormed()).subarray(-BEACON_LOG_BYTES);
  return JSON.stringify({
    ...who,
    step: step.toWellFormed().slice(0, STEP_LIMIT).toWellFormed(),
    reason: reason.toWellFormed().slice(0, REASON_LIMIT).toWellFormed(),
    log: decodeTail(tail),
  });
}

/** Reads a body; `invalid` for what is no beacon. Everything in it is hostile: bounded, not proven. */
export function parseBeacon(body: string): Beacon {
  if (body.length > BEACON_LIMIT) throw new HpsError("invalid", `the beacon is longer than ${BEACON_LIMIT} characters`);
  return parseShape(beaconSchema, jsonOf(body), "the beacon");
}

/** Where an installer with this kernel command line posts its beacon; undefined when it was not booted by a boot door. */
export function beaconUrl(commandLine: string): URL | undefined {
  const door = kernelArgument(commandLine, BOOT_URL_ARGUMENT);
  return door !== undefined && /^http:\/\/[^/]+$/.test(door) && URL.canParse(door)
    ? new URL(BEACON_PATH, door)
    : undefined;
}

/** The value of one `name=value` of a kernel command line, the last of several as the kernel has it. */
export function kernelArgument(commandLine: string, name: string): string | undefined {
  const words = commandLine.split(/\s+/).filter((word) => word.startsWith(`${name}=`));
  return words.at(-1)?.slice(name.length + 1);
}

/** A cut may go through a character: the bytes of half of one at the beginning are left out. */
function decodeTail(tail: Buffer): string {
  const start = tail.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return start === -1 ? "" : tail.subarray(start).toString();
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new HpsError("invalid", "the beacon is not JSON", { cause });
  }
}
