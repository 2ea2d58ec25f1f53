import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The end-to-end files that take minutes, longest first. */
const LONG = [
  ...["installer-image", "hpsd-backup", "readme"],
  // It wants three guests at once: first, it waits for nobody's to end.
  ...["install-many", "install", "install-power-cut", "boot-vm", "install-refused", "install-equal", "boot-loader"],
];

/**
 * A file that takes minutes does not begin last, with the other processors idle. A fresh clone remembers no durations, and vitest goes by
 * the size of the files then, which says little of these.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => groupOf(one) - groupOf(other) || placeOf(one) - placeOf(other));
  }
}

function groupOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONG.indexOf(basename(moduleId, ".test.ts"));
  return place === -1 ? LONG.length : place;
}
