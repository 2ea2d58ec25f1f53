/*
 * One disk is installed, and installed again with newer images: what the older system has is not fetched. In the guest of
 * install-steps.test.ts.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { ImageFiles } from "../../../installer-agent/image/image-source.ts";
import type { InstallOrder } from "../../../installer-agent/install/install-order.ts";
import { slotConfig } from "../../../installer-agent/plan/grub-config.ts";
import { withDelta } from "../../../installer-agent/testing/delta-between.ts";
import { imageOfTree, type TestImage } from "../../../installer-agent/testing/image-of-tree.ts";
import { noise } from "../../../installer-agent/testing/unpack-rig.ts";
import { parseUuid, type Uuid } from "../../../proto/values/uuid.ts";
import type { GuestTask } from "./tasks.ts";
import { treeSums } from "./tree-sum.ts";

const [FIRST, SECOND, THIRD] = [
  parseUuid("01890a5d-ac96-774b-bcce-b302099a80a1"),
  parseUuid("01890a5d-ac96-774b-bcce-b302099a80a2"),
  parseUuid("01890a5d-ac96-774b-bcce-b302099a80a3"),
];
const KIBI = 1024;
const FILES = 24;
const FILE_BYTES = 512 * KIBI;
const KERNEL_BYTES = 2048 * KIBI;
/** Altered on the disk of the first system, where nobody sees it: same length, same times. */
const ALTERED = "usr/lib/6";

/** What a guest says of a task. */
export interface Said {
  readonly error?: string;
  readonly fetched?: number;
  readonly sums?: Readonly<Record<string, string>>;
  readonly signatures?: Readonly<Record<string, string>>;
}

export interface Reinstallation {
  readonly tasks: readonly GuestTask[];
  readonly named: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly expectAll: (said: (name: string) => Said, logOf: (name: string) => string) => void;
}

/** Three images, each with a little that the one before has not; the third with a delta from the second. */
async function makeImages(folder: string) {
  const trees = ["first", "second", "third"].map((name) => join(folder, `again-${name}`));
  const [first = "", second = "", third = ""] = trees;
  for (const name of ["boot", "etc", "usr/lib", "var/lib"]) mkdirSync(join(first, name), { recursive: true });
  writeFileSync(join(first, "boot/vmlinuz-1"), noise(KERNEL_BYTES, "kernel"));
  for (let index = 0; index < FILES; index += 1)
    writeFileSync(join(first, `usr/lib/${index}`), noise(FILE_BYTES, `file ${index}`));
  cpSync(first, second, { recursive: true, preserveTimestamps: true });
  writeFileSync(join(second, "usr/lib/new"), noise(FILE_BYTES, "new"));
  cpSync(second, third, { recursive: true, preserveTimestamps: true });
  for (const name of ["boot/vmlinuz-1", "usr/lib/7"]) {
    const content = readFileSync(join(third, name));
    content.fill("newer", 100_000, 100_100);
    writeFileSync(join(third, name), content);
  }
  const [one, two, three] = [await imageOfTree(first), await imageOfTree(second), await imageOfTree(third)];
  return { trees, images: { one, two, three: await withDelta(two, second, three) } };
}

const bytesOf = ({ files }: TestImage) => files.packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Tasks on the disk that `orderOf` means, which may be wiped; what must have come of them. */
export async function reinstallation(
  folder: string,
  orderOf: (installation: Uuid, files: ImageFiles) => InstallOrder,
): Promise<Reinstallation> {
  const { trees, images } = await makeImages(folder);
  const { one, two, three } = images;
  /** What the steps behind `image` would write of it. */
  const ended = ({ files }: TestImage) => ({
    "boot/slot.cfg": slotConfig({ kernel: "/k", initrd: "/i", arguments: [], image: files.manifest.digest }),
    "var/lib/hps/slot": "a\n",
  });
  const both = ["storage", "image"] as const;
  const whole = { steps: both, look: ["boot-b", "root-b"], sums: true, close: true } as const;
  const third = orderOf(THIRD, three.files);
  const stopped = (name: string, stopAt: string): GuestTask => ({ name, order: third, steps: both, stopAt });
  const tasks: readonly GuestTask[] = [
    { ...whole, name: "first system", order: orderOf(FIRST, one.files), write: ended(one), alter: [ALTERED] },
    { ...whole, name: "second system", order: orderOf(SECOND, two.files), write: ended(two) },
    stopped("cut before the table", "$ wipefs --all"),
    stopped("cut at the image", "is on this disk: what the new one has in common"),
    { ...whole, name: "third system", order: third },
  ];
  const named = [one, two, three].flatMap(({ contents }) => [...contents].map(([name, bytes]) => ({ name, bytes })));
  return { tasks, named, expectAll: (said, logOf) => expectAll({ trees, images, said, logOf }) };
}

interface Outcome extends Awaited<ReturnType<typeof makeImages>> {
  readonly said: (name: string) => Said;
  readonly logOf: (name: string) => string;
}

function expectAll({ trees, images, said, logOf }: Outcome): void {
  const fetched = (name: string) => said(name).fetched ?? Number.POSITIVE_INFINITY;
  const systems = [
    ["first system", trees[0]],
    ["second system", trees[1]],
    ["third system", trees[2]],
  ] as const;
  for (const [name, tree = ""] of systems) {
    expect(said(name), name).not.toHaveProperty("error");
    expect(said(name).sums, name).toEqual(treeSums(tree));
    expect(said(name).signatures, name).toEqual({ "boot-b": "", "root-b": "" });
  }
  expect(fetched("first system")).toBeGreaterThan(bytesOf(images.one));
  expect(logOf("first system")).not.toMatch(/older system/);
  // What is new, and of what was altered the frame that it lies in.
  expect(fetched("second system")).toBeLessThan(bytesOf(images.two) * 0.3);
  expect(fetched("second system")).toBeGreaterThan(2 * FILE_BYTES);
  expect(logOf("second system")).toMatch(/the older system on .* stays, to be read, until the new one is made/);
  expect(logOf("second system")).toMatch(/copied from the older system/);
  for (const name of ["cut before the table", "cut at the image"]) expect(said(name).error).toMatch(/stopped here$/);
  expect(logOf("third system")).toContain(`of the image sha256:${images.two.files.manifest.digest}`);
  expect(logOf("third system")).toMatch(/made of it by a delta/);
  expect(fetched("third system")).toBeLessThan(bytesOf(images.three) * 0.05);
}
