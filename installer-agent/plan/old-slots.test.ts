import { expect, test } from "vitest";
import { type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { GptPartition } from "./gpt.ts";
import { type Layout, planLayout } from "./layout.ts";
import { keptAsB, type OldSlot, oldSlots, slotToKeep } from "./old-slots.ts";

const GIB = 1024 ** 3;
const NEW = parseUuid("01890a5d-ac96-774b-bcce-b302099a8057");
const OLD = parseUuid("01890a5d-ac96-774b-bcce-b302099a8058");
const LINUX = parseUuid("0fc63daf-8483-4772-8e79-3d69d8477de4");
const SIZES = {
  diskBytes: 40 * GIB,
  sectorBytes: 512,
  rootBytes: undefined,
  contentBytes: 500_000_000,
  entries: 20_000,
};

const planned = (installation: typeof NEW, changes: { rootBytes?: number } = {}) =>
  planLayout({ installation, ...SIZES, ...changes });

/** The table that sfdisk makes of a layout. */
function tableOf({ diskId, partitions }: Layout) {
  const made = partitions.map(
    ({ role, start, sectors, id }, index): GptPartition => ({
      ...{ number: index + 1, id, type: LINUX, name: `hps ${role}`, first: start, last: start + sectors - 1 },
    }),
  );
  return { diskId, partitions: made };
}

const regionOf = ({ partitions }: Layout, role: PartitionRole) => {
  const { start = -1, sectors = 0 } = partitions.find((one) => one.role === role) ?? {};
  return [start, start + sectors - 1];
};
const regionsOf = ({ boot, root }: OldSlot) => [
  [boot.first, boot.last],
  [root.first, root.last],
];

/** What must hold of a new layout whatever was kept: the old layout's regions, each once. */
function expectWhole(made: Layout): void {
  const regions = (layout: Layout) => layout.partitions.map(({ start, sectors }) => [start, sectors]);
  const byStart = (all: number[][]) => all.toSorted(([one = 0], [other = 0]) => one - other);
  expect(byStart(regions(made))).toEqual(regions(planned(NEW)));
  expect(made.partitions.map(({ role, id }) => [role, id])).toEqual(
    planned(NEW).partitions.map(({ role, id }) => [role, id]),
  );
  for (const role of ["esp", "bios", "state"] as const)
    expect(regionOf(made, role)).toEqual(regionOf(planned(NEW), role));
}

test("a slot that is kept is slot b, however often and whichever it is, and nothing overlaps", () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed / 0x7fff_ffff;
  };
  let table = tableOf(planned(OLD));
  for (let round = 0; round < 50; round += 1) {
    const slots = oldSlots(table, planned(NEW));
    const kept = slots?.[random() < 0.5 ? "a" : "b"];
    if (kept === undefined) throw new Error(`round ${round}: the slots of a layout of our own were not found`);
    const made = keptAsB(planned(NEW), kept);
    expect([regionOf(made, "boot-b"), regionOf(made, "root-b")]).toEqual(regionsOf(kept));
    expectWhole(made);
    table = tableOf(made);
  }
});

test("nothing is kept of a table in which anything lies elsewhere, is missing, or is of another's GUID", () => {
  const whole = tableOf(planned(OLD));
  const further = { number: 8, id: NEW, type: LINUX, name: "", first: 40_000_000, last: 40_000_001 };
  expect(oldSlots(whole, planned(NEW))).toBeDefined();
  const altered = (number: number, changes: Partial<GptPartition>) => ({
    ...whole,
    partitions: whole.partitions.map((part) => (part.number === number ? { ...part, ...changes } : part)),
  });
  const strange: (typeof whole | { diskId: typeof OLD; partitions: undefined })[] = [
    { ...whole, partitions: undefined },
    { ...whole, partitions: [] },
    { ...whole, diskId: NEW },
    { ...whole, partitions: whole.partitions.slice(0, 6) },
    { ...whole, partitions: [...whole.partitions, further] },
    tableOf(planned(OLD, { rootBytes: 9 * GIB })),
    ...whole.partitions.flatMap(({ number, first, last }) => [
      altered(number, { id: partitionId(NEW, "esp") }),
      altered(number, { first: first + 1 }),
      altered(number, { last: last - 1 }),
      altered(number, { first: 0, last: 2 ** 50 }),
    ]),
  ];
  const [bootA, bootB] = [whole.partitions[2], whole.partitions[3]];
  if (bootA && bootB) {
    // Only the boot partitions exchanged: no layout of ours.
    const { first, last } = bootA;
    const halfway = altered(3, { first: bootB.first, last: bootB.last });
    strange.push({
      ...halfway,
      partitions: halfway.partitions.map((part) => (part.number === 4 ? { ...part, first, last } : part)),
    });
  }
  for (const table of strange) expect(oldSlots(table, planned(NEW))).toBeUndefined();
});

test("which slot is kept: the one that was started; of an installation's own earlier attempt never what it began", () => {
  const none = { a: false, b: false };
  const [a, b, both] = [
    { ...none, a: true },
    { ...none, b: true },
    { a: true, b: true },
  ];
  const of = (recorded: "a" | "b" | undefined, holds: typeof none, own = false) => slotToKeep({ own, recorded, holds });
  expect([of("a", a), of("a", both), of("b", both), of("b", a)]).toEqual(["a", "a", "b", "a"]);
  expect([of(undefined, a), of(undefined, b), of(undefined, both)]).toEqual(["a", "b", "b"]);
  expect([of("a", none), of(undefined, none)]).toEqual([undefined, undefined]);
  expect([of("a", a, true), of("a", both, true), of(undefined, b, true)]).toEqual([undefined, "b", "b"]);
});
