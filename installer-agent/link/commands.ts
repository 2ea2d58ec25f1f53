import type { Command, OpenShell } from "../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { describeError, type Log } from "../log.ts";

/** What an agent does at hpsd's word. Each throws to refuse. */
export interface CommandHandlers {
  readonly proceed: (doneSteps: readonly string[]) => void;
  readonly cancel: (reason: string) => void;
  readonly openShell: (request: OpenShell) => Promise<void>;
  readonly renew: () => Promise<void>;
  /** Installer mode: whether the machine waits when all is done, said by an hpsd that had everything up to `acknowledged`. */
  readonly pauseReboot: (paused: boolean, acknowledged: bigint) => void;
  /** Host mode. */
  readonly reboot: (network: boolean) => Promise<void>;
  /** Who may enter this host directly has changed; false: nobody any more. */
  readonly refreshDirectAccess: (on: boolean) => void;
}

/** Gives what executes a command: empty when done, else why not, in words for the operator. */
export function commandRunner(handlers: CommandHandlers, log: Log): (command: Command) => Promise<string> {
  return async ({ command, acknowledgedSequence }) => {
    log.debug("command", { command: command.case ?? "unknown" });
    try {
      await execute(command, handlers, acknowledgedSequence);
      return "";
    } catch (error) {
      log.warn(`command ${command.case ?? "unknown"} failed: ${describeError(error)}`);
      return describeError(error);
    }
  };
}

async function execute(command: Command["command"], handlers: CommandHandlers, acknowledged: bigint): Promise<void> {
  switch (command.case) {
    case "proceed":
      return handlers.proceed(command.value.doneSteps);
    case "cancel":
      return handlers.cancel(command.value.reason);
    case "openShell":
      return handlers.openShell(command.value);
    case "renew":
      return handlers.renew();
    case "pauseReboot":
      return handlers.pauseReboot(true, acknowledged);
    case "resumeReboot":
      return handlers.pauseReboot(false, acknowledged);
    case "reboot":
      return handlers.reboot(command.value.network);
    case "refreshDirectAccess":
      return handlers.refreshDirectAccess(command.value.on);
    default:
      throw new HpsError("unimplemented", "this agent does not know that command", { hint: "compare the versions" });
  }
}
