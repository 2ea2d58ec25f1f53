import {
  type Installation,
  InstallationState,
  type PendingEnrolment,
  StepState,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { hostName } from "./host-view.ts";
import { timeText } from "./words.ts";

/** What an open installation waits for and what an operator can do about it, line by line; nothing while it works. */
export function whatNext(installation: Installation): readonly string[] {
  const host = hostName({ cluster: installation.cluster, name: installation.host });
  const again = `hpsctl installation retry ${host}`;
  const end = `hpsctl installation cancel ${host}`;
  if (installation.pendingEnrolment !== undefined) return waitsForApproval(host, installation.pendingEnrolment);
  switch (installation.state) {
    case InstallationState.ARMED:
      return [waitsForMachine(installation)];
    case InstallationState.AWAITING_APPROVAL:
      return ["an agent waits for approval"];
    case InstallationState.INSTALLING:
      return isHeld(installation) ? held(host) : rescueReady(host, installation);
    case InstallationState.REBOOTING:
      return installation.rebootPaused ? held(host) : restarts(host, installation);
    case InstallationState.INTERRUPTED:
      return ["the machine started again in the middle", `  go on: ${again}`, `  or end it: ${end}`];
    case InstallationState.FAILED:
      return [
        `look: hpsctl installation log ${host}`,
        `      hpsctl installer-shell ${host}`,
        `then: ${again}${wipeWord(installation)}`,
        `  or: ${end}`,
      ];
    case InstallationState.FROZEN:
      return [
        `find out which machine is ${host}, then unfreeze and boot it:`,
        `  hpsctl installation unfreeze ${host}`,
        `  or: ${end}`,
      ];
    default:
      return [];
  }
}

/** What somebody at the machine has to do: `power it on`, or whatever starts it. */
export function waitsForMachine({ windowEndTime }: Installation, start = "power it on"): string {
  const until = timeText(windowEndTime);
  return `${start}, to boot from the network${until === "" ? "" : ` before ${until}`}`;
}

function waitsForApproval(host: string, { fingerprint, address, requestTime }: PendingEnrolment): readonly string[] {
  const from = address === "" ? "" : ` at ${address}`;
  const since = requestTime === undefined ? "" : ` since ${timeText(requestTime)}`;
  return [
    `an agent${from} waits for approval${since}`,
    `fingerprint ${fingerprint}; if the machine's own console shows it:`,
    `  hpsctl host approve ${host} --fingerprint ${fingerprint}`,
  ];
}

function isHeld({ rebootPaused, steps }: Installation): boolean {
  return rebootPaused && steps.length > 0 && steps.every(({ state }) => state === StepState.SUCCEEDED);
}

function held(host: string): readonly string[] {
  return ["all is done and the restart is held; let it go:", `  hpsctl installation resume-reboot ${host}`];
}

/** Its agent, while it is still there, waits for whoever has a shell. */
function restarts(host: string, { attached, restartTime }: Installation): readonly string[] {
  if (!attached) return ["it restarts; waits for the installed system to report"];
  const latest = restartTime === undefined ? "after 15 minutes" : `at ${timeText(restartTime)}`;
  return [
    `it restarts when no shell is open on it any more, or ${latest}; to hold it:`,
    `  hpsctl installation pause-reboot ${host}`,
  ];
}

function rescueReady(host: string, { rescue, attached }: Installation): readonly string[] {
  return rescue && attached ? [`the rescue system is there: hpsctl installer-shell ${host}`] : [];
}

/** Permission to wipe is what a failed `storage` asks for most. */
function wipeWord({ steps, storage }: Installation): string {
  const failed = steps.find(({ state }) => state === StepState.FAILED)?.name;
  return failed === "storage" && storage?.wipe !== true ? " [--wipe]" : "";
}
