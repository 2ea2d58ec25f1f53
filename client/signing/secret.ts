import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { HpsError } from "../../proto/values/hps-error.ts";
import { canAsk } from "../commands/confirm.ts";
import { type Terminal, write } from "../output/terminal.ts";
import { readSmallFile } from "./small-file.ts";

/** A passphrase or PIN: the first line of `file`, or what is typed, which is not shown. */
export async function readSecret(terminal: Terminal, question: string, file: string | undefined): Promise<string> {
  const text = file === undefined ? await askHidden(terminal, question) : await readSmallFile(file, "a passphrase");
  return text.split(/\r?\n/, 1)[0] ?? "";
}

async function askHidden(terminal: Terminal, question: string): Promise<string> {
  if (!canAsk(terminal)) {
    throw new HpsError("invalid", "the key needs a passphrase or PIN, and nobody can be asked for it", {
      hint: "put it into a file that only you may read, and name that: --passphrase-file FILE",
    });
  }
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: terminal.stdin, output: nowhere, terminal: true });
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(new HpsError("cancelled", "no passphrase was given, nothing was signed"));
  reader.once("SIGINT", leave);
  reader.once("close", () => setImmediate(leave));
  try {
    await write(terminal.stderr, question);
    return await Promise.race([reader.question("", { signal: terminal.signal }), left.promise]);
  } finally {
    reader.close();
    await write(terminal.stderr, "\n");
  }
}
