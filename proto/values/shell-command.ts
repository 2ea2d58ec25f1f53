import { HpsError } from "./hps-error.ts";

/** It travels in one command message of at most 1 MiB, and Linux itself takes no argument above 128 KiB. */
const MAX_ARGUMENTS = 1024;
const MAX_COMMAND_BYTES = 64 * 1024;
const MAX_REASON = 1024;

/** Why somebody does it, in their own words. */
export function parseReason(reason: string): string {
  if (reason.length <= MAX_REASON) return reason;
  throw new HpsError("invalid", `the reason has ${reason.length} characters, above ${MAX_REASON}`);
}

/** argv, not empty, of UTF-8 because a proto string is: bytes that are not go through the command's standard input. */
export function parseCommand(command: readonly string[]): readonly string[] {
  if (command.length > MAX_ARGUMENTS) {
    throw new HpsError("invalid", `the command has ${command.length} arguments, above ${MAX_ARGUMENTS}`);
  }
  const bytes = command.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0);
  if (bytes > MAX_COMMAND_BYTES) {
    throw new HpsError("invalid", `the command has ${bytes} bytes, above ${MAX_COMMAND_BYTES}`, {
      hint: "send what is long through its standard input",
    });
  }
  if (command[0] === "") throw new HpsError("invalid", "the command has no program: its first argument is empty");
  if (command.some((argument) => argument.includes("\0"))) {
    throw new HpsError("invalid", "an argument of the command has a zero byte, which no program can be given");
  }
  return command;
}
