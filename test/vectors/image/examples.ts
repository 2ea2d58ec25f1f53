/** All files of this folder that are made, by their paths in it. */
import { HpsError } from "../../../proto/values/hps-error.ts";
import { goodExamples } from "./good.ts";
import { READERS } from "./read.ts";
import { refusedFiles } from "./refused-files.ts";
import { REFUSED_MANIFESTS } from "./refused-manifests.ts";
import { OLD } from "./tree.ts";

/** A file that every reader must refuse. */
export interface RefusedExample {
  readonly kind: string;
  readonly because: string;
  /** Our own reader's words. */
  readonly message: string;
  readonly hex: string;
}

export async function examples(): Promise<{
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly good: readonly string[];
  readonly refused: readonly RefusedExample[];
}> {
  const good = await goodExamples();
  const files: Record<string, string | Buffer> = {};
  for (const [kind, bytes] of Object.entries(good)) files[`${kind}.hex`] = hex(bytes);
  for (const [path, content] of Object.entries(OLD)) files[`old/${path}`] = content;
  const refused: RefusedExample[] = [];
  for (const [kind, wrong] of Object.entries({ manifest: REFUSED_MANIFESTS, ...refusedFiles(good) })) {
    for (const [because, bytes] of Object.entries(wrong)) {
      refused.push({ kind, because, message: refusal(kind, bytes), hex: bytes.toString("hex") });
    }
  }
  files["refused.json"] = `${JSON.stringify(refused, null, 2)}\n`;
  return { files, good: Object.keys(good), refused };
}

/** Digits, 32 bytes a line. */
function hex(bytes: Buffer): string {
  return bytes.toString("hex").replace(/.{1,64}/g, "$&\n");
}

function refusal(kind: string, bytes: Buffer): string {
  try {
    READERS[kind]?.(bytes);
  } catch (error) {
    if (error instanceof HpsError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "not refused";
}
