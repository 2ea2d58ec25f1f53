import { PARTITION_ROLES, type PartitionRole, partitionId } from "../../proto/values/layout-ids.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { GptPartition } from "./gpt.ts";
import type { Layout } from "./layout.ts";

export type Slot = "a" | "b";

/** The partitions of one slot of an installation that is on a disk. */
export interface OldSlot {
  readonly boot: GptPartition;
  readonly root: GptPartition;
}

type OldSlots = Readonly<Record<Slot, OldSlot>>;

const OTHER: Partial<Record<PartitionRole, PartitionRole>> = {
  ...{ "boot-a": "boot-b", "boot-b": "boot-a", "root-a": "root-b", "root-b": "root-a" },
};

/**
 * The slots of the installation that made a table, by the GUIDs that it gives its partitions. Undefined unless every
 * partition lies exactly where `layout` puts it, slot for slot or with the two slots exchanged.
 */
export function oldSlots(
  { diskId, partitions }: { readonly diskId: Uuid; readonly partitions: readonly GptPartition[] | undefined },
  layout: Layout,
): OldSlots | undefined {
  const found = (role: PartitionRole) => partitions?.find(({ id }) => id === partitionId(diskId, role));
  const liesAs = (planned: Layout) =>
    planned.partitions.every(({ role, start, sectors }) => {
      const old = found(role);
      return old !== undefined && old.first === start && old.last === start + sectors - 1;
    });
  if (partitions?.length !== PARTITION_ROLES.length) return undefined;
  if (!liesAs(layout) && !liesAs(exchanged(layout))) return undefined;
  const [bootA, rootA, bootB, rootB] = [found("boot-a"), found("root-a"), found("boot-b"), found("root-b")];
  if (!(bootA && rootA && bootB && rootB)) return undefined;
  return { a: { boot: bootA, root: rootA }, b: { boot: bootB, root: rootB } };
}

/** The slot whose content is worth keeping. */
export function slotToKeep({
  own,
  recorded,
  holds,
}: {
  /** An earlier attempt at this installation made the table. */
  readonly own: boolean;
  /** The slot that the older installation said it starts; undefined where it never did, or that cannot be read. */
  readonly recorded: Slot | undefined;
  /** Whether the root of a slot has a file system. */
  readonly holds: Readonly<Record<Slot, boolean>>;
}): Slot | undefined {
  // Slot a of an attempt is about to be made anew, and nothing but an older system ever is in its slot b.
  if (own) return holds.b ? "b" : undefined;
  if (recorded !== undefined && holds[recorded]) return recorded;
  // Of an installation that never ended, b is what it kept itself, and a what it had begun.
  return (["b", "a"] as const).find((slot) => holds[slot]);
}

/** The layout with slot b where `kept` is: the two slots are of one size, and all is found by GUIDs. */
export function keptAsB(layout: Layout, kept: OldSlot): Layout {
  const rootB = layout.partitions.find(({ role }) => role === "root-b");
  return rootB?.start === kept.root.first ? layout : exchanged(layout);
}

function exchanged(layout: Layout): Layout {
  const partitions = layout.partitions.map((own) => {
    const { start, sectors } = layout.partitions.find(({ role }) => role === OTHER[own.role]) ?? own;
    return { ...own, start, sectors };
  });
  return { ...layout, partitions };
}
