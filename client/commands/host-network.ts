import type { Command } from "commander";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import { enumNumber } from "../output/words.ts";
import { choice } from "./options.ts";

export function withNetwork(command: Command): Command {
  return command.addOption(
    choice("--network <mode>", "how the installed system gets its addresses: dhcp, or static with those of --address", [
      "dhcp",
      "static",
    ]),
  );
}

export function networkOf(word: string): NetworkMode {
  return enumNumber(NetworkMode, word, "a network mode");
}
