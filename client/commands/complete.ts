import type { Command, Option } from "commander";
import { write } from "../output/terminal.ts";
import type { Tools } from "./group.ts";
import { loadGroup } from "./program.ts";

/** Words that need no quoting in any shell: a name with anything else is not offered. */
const PLAIN = /^[A-Za-z0-9@=:._/+-]+$/;

/** Prints the words that may stand where the last of `words` stands, one a line. Errors are silence. */
export async function complete(program: Command, tools: Tools, words: readonly string[]): Promise<number> {
  const typed = words[0] === "--" ? words.slice(1) : words;
  const found = await candidates(program, tools, typed);
  const last = typed.at(-1) ?? "";
  const fitting = [...new Set(found)].filter((word) => word.startsWith(last) && PLAIN.test(word));
  await write(tools.terminal.stdout, fitting.map((word) => `${word}\n`).join(""));
  return 0;
}

async function candidates(program: Command, tools: Tools, typed: readonly string[]): Promise<readonly string[]> {
  const before = typed.slice(0, -1);
  const last = typed.at(-1) ?? "";
  if (before.includes("--")) return [];
  const { command, operands, open } = await walk(program, tools, before);
  if (open !== undefined) return open.argChoices ?? named(tools, open.long?.slice(2) ?? "", last);
  if (last.startsWith("-")) {
    const options = [...command.options, ...(command === program ? [] : program.options)];
    return [...options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []), "--help"];
  }
  if (command.commands.length > 0) return operands > 0 ? [] : command.commands.map((sub) => sub.name());
  if (command.name() === "completion") return ["bash", "zsh", "fish"];
  const argument = command.registeredArguments[Math.min(operands, command.registeredArguments.length - 1)];
  return argument === undefined || argument.name() === "command" ? [] : named(tools, argument.name(), last);
}

interface Place {
  readonly command: Command;
  /** Operands already there. */
  readonly operands: number;
  /** The option whose value comes next. */
  readonly open: Option | undefined;
}

async function walk(program: Command, tools: Tools, before: readonly string[]): Promise<Place> {
  let command = program;
  let operands = 0;
  let open: Option | undefined;
  for (const word of before) {
    if (open !== undefined) {
      open = undefined;
      continue;
    }
    if (word.startsWith("-")) {
      const option = [...command.options, ...program.options].find(
        ({ short, long }) => word === short || word === long,
      );
      open = option?.required ? option : undefined;
      continue;
    }
    const sub = command.commands.find((candidate) => candidate.name() === word || candidate.aliases().includes(word));
    if (sub === undefined) operands += 1;
    else command = sub;
    await loadGroup(command, tools);
  }
  return { command, operands, open };
}

async function named(tools: Tools, kind: string, prefix: string): Promise<readonly string[]> {
  const { liveNames } = await import("./live-names.ts");
  return liveNames(tools.terminal, kind, prefix);
}
