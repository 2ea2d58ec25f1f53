#!/usr/bin/env node
/** hpsctl. Alone reads the process's environment, arguments and signals, and ends it. */
import { Interrupts } from "./output/interrupts.ts";
import { run } from "./run.ts";

const interrupts = new Interrupts(() => process.exit(130));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupts.arrived(signal));

function atExit(work: () => void): Disposable {
  process.on("exit", work);
  return { [Symbol.dispose]: () => process.off("exit", work) };
}

// A reader that went away is found where we write.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);

const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupts.signal,
  takeInterrupt: interrupts.take,
  atExit,
  now: Date.now,
});
process.exit(exitCode);
