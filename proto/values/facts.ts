import { z } from "zod";
import { decodeBase64url, decodeUtf8 } from "./base64url.ts";
import { HpsError } from "./hps-error.ts";
import { parseIpAddress } from "./ip-address.ts";
import { parseMac } from "./mac.ts";
import { parseShape, textOf } from "./parsed.ts";
import { parseUuid } from "./uuid.ts";

/** Text from firmware or a device: hostile, bounded, kept byte for byte. Lone surrogates have no bytes, so they are refused. */
const label = z
  .string()
  .min(1)
  .max(128)
  .refine((text) => text.isWellFormed(), "is not Unicode");
const deviceName = z.string().regex(/^[!-~]{1,64}$/, "is not a device name");
const count = (max: number) => z.int().min(0).max(max);
const bytes = count(Number.MAX_SAFE_INTEGER);
const mac = textOf(parseMac);

const networkInterface = z.object({
  name: deviceName,
  mac: mac.optional(),
  driver: label.optional(),
  up: z.boolean().optional(),
  speedMbps: count(10_000_000).optional(),
  addresses: z.array(textOf(parseIpAddress)).max(16).optional(),
});

const disk = z.object({
  name: deviceName,
  sizeBytes: bytes,
  serial: label.optional(),
  model: label.optional(),
  /** `naa.…`, `eui.…`. */
  wwn: label.optional(),
  /** Name below /dev/disk/by-path. */
  path: label.optional(),
  rotational: z.boolean().optional(),
  removable: z.boolean().optional(),
  /** Of a logical sector. */
  sectorBytes: count(65_536).optional(),
  /** `virtio`, `nvme`, `sata`, `usb`, … */
  transport: label.optional(),
});

/** Keys it does not know are dropped, so that a newer agent can say more to an older server. */
const factsSchema = z.object({
  macs: z.array(mac).min(1).max(64),
  uuid: textOf(parseUuid).optional(),
  serial: label.optional(),
  vendor: label.optional(),
  product: label.optional(),
  memoryBytes: bytes.optional(),
  cpus: count(65_536).optional(),
  firmware: z.enum(["bios", "uefi"]).optional(),
  /** Secure Boot is on. */
  secureBoot: z.boolean().optional(),
  interfaces: z.array(networkInterface).max(64).default([]),
  disks: z.array(disk).max(1024).default([]),
});

/** What an agent says of the machine it runs on. Claims, not proof: nothing here widens what it may do. */
export type Facts = z.output<typeof factsSchema>;

/** Longest `HPS-Facts` header value, in characters. */
export const FACTS_HEADER_LIMIT = 8192;
const TEXT_LIMIT = 1_048_576;

/** Checks facts that are already an object. */
export function parseFacts(value: unknown): Facts {
  return parseShape(factsSchema, value, "facts");
}

/** Reads facts as JSON text of at most 1 MiB: a file given to an agent, a stored row. */
export function parseFactsJson(text: string): Facts {
  if (text.length > TEXT_LIMIT) throw new HpsError("invalid", `facts are longer than ${TEXT_LIMIT} characters`);
  return parseFacts(jsonOf(text));
}

/** Reads the `HPS-Facts` header: base64url of JSON. */
export function parseFactsHeader(header: string): Facts {
  if (header.length > FACTS_HEADER_LIMIT) {
    throw new HpsError("invalid", `the HPS-Facts header is longer than ${FACTS_HEADER_LIMIT} characters`);
  }
  return parseFacts(jsonOf(decodeUtf8(decodeBase64url(header, "the HPS-Facts header"), "the HPS-Facts header")));
}

/** Writes the header; `invalid` when the facts do not fit. `identityFacts` of anything real fit. */
export function formatFactsHeader(facts: Facts): string {
  const header = Buffer.from(JSON.stringify(facts)).toString("base64url");
  if (header.length > FACTS_HEADER_LIMIT) {
    throw new HpsError("invalid", `the facts need ${header.length} characters, a header holds ${FACTS_HEADER_LIMIT}`, {
      hint: "send what tells the machine apart (identityFacts) and the rest after attaching",
    });
  }
  return header;
}

/** What tells one machine from another, without the lists of its parts: what enrolment needs. */
export function identityFacts(facts: Facts): Facts {
  return { ...facts, interfaces: [], disks: [] };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("invalid", "the facts are not JSON", { cause });
  }
}
