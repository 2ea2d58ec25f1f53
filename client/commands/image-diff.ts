import type { JsonValue } from "@bufbuild/protobuf";
import type { Image } from "../../proto/gen/hps/v1/image_pb.ts";
import { bytesOf } from "../../proto/tree/byte-string.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { safeBytes } from "../../proto/values/safe-text.ts";
import { roundSize } from "../../proto/values/size.ts";
import { type FileChange, fileChanges } from "../image/diff/file-changes.ts";
import { PACKAGE_LISTS, type PackageChange, type Packages, packageChanges } from "../image/diff/package-lists.ts";
import { type StoredImage, storedImage } from "../image/diff/stored-image.ts";
import { type Transfer, transferOf } from "../image/diff/transfer.ts";
import { note, printValue } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import type { Call } from "./call.ts";
import { imageRequest } from "./image-request.ts";

interface ImageDifference {
  /** Undefined where neither says what is installed. */
  readonly packages: readonly PackageChange[] | undefined;
  readonly files: readonly FileChange[];
  readonly transfer: Transfer;
  readonly before: number;
  readonly after: number;
}

/** `image diff`. */
export async function diffImages(call: Call): Promise<number> {
  const hps = await call.connect();
  const before = await storedImage(call, imageRequest(hps, call.operand(0)));
  const after = await storedImage(call, imageRequest(hps, call.operand(1)));
  const difference: ImageDifference = {
    packages: await packagesOf(call, before, after),
    files: fileChanges(before.manifest, after.manifest),
    transfer: transferOf(before.manifest, { ...after, deltaBytes: deltaBytes(before.image, after.image) }),
    before: Number(before.image.source?.contentBytes ?? 0n),
    after: Number(after.image.source?.contentBytes ?? 0n),
  };
  if (call.format === "json" || call.format === "yaml") await printValue(call, jsonOf(difference));
  else await write(call.terminal.stdout, textOf(difference, call.options<{ files?: true }>().files ?? false));
  return 0;
}

function deltaBytes({ source: before }: Image, { source: after }: Image): number | undefined {
  const delta = after?.deltas.find(({ base }) => base === before?.manifest?.digest);
  return delta && Number(delta.sizeBytes);
}

/** Whoever made an image may have put anything there: what cannot be read is said, and the rest is compared. */
async function packagesOf(
  { terminal }: Call,
  before: StoredImage,
  after: StoredImage,
): Promise<readonly PackageChange[] | undefined> {
  try {
    const [old, now] = [await installed(before), await installed(after)];
    return old === undefined && now === undefined ? undefined : packageChanges(old ?? new Map(), now ?? new Map());
  } catch (error) {
    if (!(error instanceof HpsError) || (error.code !== "invalid" && error.code !== "exhausted")) throw error;
    await note(terminal, `warning: packages are not compared: ${error.message}`);
    return undefined;
  }
}

async function installed(image: StoredImage): Promise<Packages | undefined> {
  for (const { path, parse } of PACKAGE_LISTS) {
    const content = await image.file(path);
    if (content === undefined) continue;
    try {
      return parse(content);
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
      throw new HpsError(error.code, `${path} of image ${image.image.name}: ${error.message}`, { cause: error });
    }
  }
  return undefined;
}

function textOf({ packages, files, transfer, before, after }: ImageDifference, allFiles: boolean): string {
  const lines = [
    ...(packages === undefined ? ["PACKAGES  not compared: no list of them was read"] : packageLines(packages)),
    `FILES     ${countText(files.map(({ kind }) => kind))}; content ${roundSize(before)} -> ${roundSize(after)}`,
    ...(allFiles ? files.map(fileLine) : []),
    transferLine(transfer),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

const SIGNS = { added: "+", removed: "-", changed: "~", attributes: "." } as const;

function packageLines(changes: readonly PackageChange[]): string[] {
  const kindOf = ({ before, after }: PackageChange) => (before === "" ? "added" : after === "" ? "removed" : "changed");
  const lines = changes.map((change) => {
    const versions = [change.before, change.after].filter((version) => version !== "");
    return `  ${SIGNS[kindOf(change)]} ${shown(change.name)} ${versions.map(shown).join(" -> ")}`;
  });
  return [`PACKAGES  ${countText(changes.map(kindOf))}`, ...lines];
}

function fileLine({ path, kind, before, after }: FileChange): string {
  const sizes = before === after ? "" : ` ${roundSize(before)} -> ${roundSize(after)}`;
  return `  ${SIGNS[kind]} /${safeBytes(bytesOf(path))}${sizes}`;
}

function transferLine({ wireBytes, framesBytes, wholeBytes, contentBytes }: Transfer): string {
  const share = wholeBytes === 0 ? 0 : (100 * wireBytes) / wholeBytes;
  const whole = `${roundSize(wholeBytes)} of a whole installation (${share.toFixed(1)} %)`;
  const delta = wireBytes === framesBytes ? "" : ` by a delta, ${roundSize(framesBytes)} without,`;
  return `TRANSFER  ${roundSize(wireBytes)}${delta} of ${whole}, for ${roundSize(contentBytes)} of new content`;
}

function countText(kinds: readonly FileChange["kind"][]): string {
  const words = {
    changed: "changed",
    attributes: "with other attributes",
    added: "added",
    removed: "removed",
  } as const;
  const counts = Object.entries(words).map(([kind, word]) => ({
    word,
    count: kinds.filter((one) => one === kind).length,
  }));
  const there = counts.filter(({ count }) => count > 0);
  return there.length === 0 ? "no difference" : there.map(({ word, count }) => `${count} ${word}`).join(", ");
}

function shown(text: string): string {
  return safeBytes(Buffer.from(text));
}

function jsonOf({ packages, files, transfer, before, after }: ImageDifference): JsonValue {
  const changes = files.map(({ path, ...change }) => ({ path: `/${bytesOf(path).toString("utf8")}`, ...change }));
  return {
    packages: packages?.map((change) => ({ ...change })) ?? null,
    files: changes,
    contentBytes: { before, after },
    transfer: { ...transfer },
  };
}
