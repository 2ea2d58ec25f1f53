import type { InstallOrder } from "../../../installer-agent/install/install-order.ts";
import type { FileRef } from "../../../installer-agent/link/file-request.ts";
import type { PartitionRole } from "../../../proto/values/layout-ids.ts";

/** Steps to be run in a guest, one after the other until one fails. */
export interface GuestTask {
  readonly name: string;
  readonly order: InstallOrder;
  readonly steps: readonly ("storage" | "image")[];
  /** Stops the step when a line of its log says this. */
  readonly stopAt?: string;
  /** Paths in the target to be shown afterwards. */
  readonly show?: readonly string[];
  /** Files that are written in the target then. */
  readonly write?: Readonly<Record<string, string>>;
  /** Partitions of which is told what file system they bear. */
  readonly look?: readonly PartitionRole[];
  /** Tells the `treeSums` of the target. */
  readonly sums?: boolean;
  /** Files of the target in which a byte is altered at last, and their times are not. */
  readonly alter?: readonly string[];
  /** Unmounts the target at the end. */
  readonly close?: boolean;
}

export interface GuestPlan {
  readonly tools: FileRef;
  readonly tasks: readonly GuestTask[];
  /** Programs to be run at the end, for what they print. */
  readonly ask?: readonly (readonly string[])[];
}
