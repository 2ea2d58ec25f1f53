import type { Command } from "commander";
import type { Terminal } from "../output/terminal.ts";
import type { Call } from "./call.ts";

/** Carries out one command; gives its exit code. */
export type Handler = (call: Call) => Promise<number>;

/** What a group of commands is added with. */
export interface Tools {
  readonly terminal: Terminal;
  /** Wraps a handler for commander's `action`. */
  readonly run: (handler: Handler) => (this: Command) => Promise<void>;
}

/** Adds a group's commands below it. */
export type AddCommands = (group: Command, tools: Tools) => void;

/** `finish` hears the exit code. What a command needs beyond its definition is loaded when it runs. */
export function toolsFor(terminal: Terminal, finish: (exitCode: number) => void): Tools {
  const run = (handler: Handler) =>
    async function (this: Command): Promise<void> {
      const { Call } = await import("./call.ts");
      using call = new Call(terminal, this);
      finish(await handler(call));
      await call.warnOfSkew();
    };
  return { terminal, run };
}
