import type { GateView, OpenView } from "../../store/gate-view.ts";
import { type HostState, isFirst, parseOpenState } from "../hosts/life-cycle.ts";

/** What a machine that asks how to boot is told. */
export type BootDecision =
  /** The installer, with a claim to fetch by its id, once. */
  | {
      readonly kind: "install";
      readonly claimId: string;
      readonly hostName: string;
      readonly installationId: string;
      /** Digest of the set whose files it is to boot, and whose tools it will be told of; empty when none was imported. */
      readonly installer: string;
    }
  /** The system on its own disk. */
  | { readonly kind: "local-disk"; readonly hostName: string }
  /** Ask again, and why. */
  | { readonly kind: "wait"; readonly reason: string; readonly seconds: number }
  /** An unknown machine we gave an address to: may say what it is and wait to be approved. */
  | { readonly kind: "first-contact" };

/** What the state of a known host means for its boot. */
export type BootRule = "claim" | "local-disk" | "refuse-unarmed" | "refuse-frozen";

export const BOOT_RULES: Readonly<Record<HostState, BootRule>> = {
  registered: "refuse-unarmed",
  armed: "claim",
  "awaiting-approval": "claim",
  installing: "claim",
  interrupted: "claim",
  failed: "claim",
  frozen: "refuse-frozen",
  rebooting: "local-disk",
  installed: "local-disk",
};

/** Where a known host is at `now`. */
export function hostStateOf({ installation, installed }: GateView, now: number): HostState {
  const holds = installation !== undefined && !isOverdue(installation, now);
  if (holds) return parseOpenState(installation.state);
  return installed ? "installed" : "registered";
}

/** A window that is over, though the sweeper has not closed it yet. */
export function isOverdue({ state, windowEndAt }: Pick<OpenView, "state" | "windowEndAt">, now: number): boolean {
  return isFirst(parseOpenState(state)) && windowEndAt <= now;
}

/** Whether a machine may have a claim of this installation. */
export function takesMachines(installation: OpenView, now: number): boolean {
  return BOOT_RULES[parseOpenState(installation.state)] === "claim" && !isOverdue(installation, now);
}
