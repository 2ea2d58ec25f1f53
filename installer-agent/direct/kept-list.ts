import { rm } from "node:fs/promises";
import { z } from "zod";
import { readSmallFile, writePrivateFile } from "../../proto/config/private-file.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseShape } from "../../proto/values/parsed.ts";
import type { Arrival } from "./list-time.ts";
import type { SignedList } from "./signed-list.ts";

const keptSchema = z.strictObject({
  list: z.base64(),
  signature: z.base64(),
  signerChain: z.string(),
  certificateChain: z.string(),
  arrival: z.strictObject({ wall: z.number(), uptime: z.number(), boot: z.string(), latest: z.number() }),
});

/** A list with when it came: what survives the agent. */
export interface KeptList {
  readonly signed: SignedList;
  readonly arrival: Arrival;
}

/** Undefined when there is none; `invalid` for what is none. */
export async function readKeptList(file: string): Promise<KeptList | undefined> {
  const text = await readSmallFile(file);
  if (text === undefined) return undefined;
  const { list, signature, arrival, ...chains } = parseShape(keptSchema, jsonOf(text), "the kept list");
  return { signed: { list: bytesOf(list), signature: bytesOf(signature), ...chains }, arrival };
}

/** 0600, whole or as it was. */
export async function writeKeptList(file: string, { signed, arrival }: KeptList): Promise<void> {
  const { list, signature, signerChain, certificateChain } = signed;
  const kept = { list: textOf(list), signature: textOf(signature), signerChain, certificateChain, arrival };
  await writePrivateFile(file, `${JSON.stringify(kept)}\n`);
}

export async function forgetKeptList(file: string): Promise<void> {
  await rm(file, { force: true });
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HpsError("invalid", "the kept list is not JSON", { cause });
  }
}
