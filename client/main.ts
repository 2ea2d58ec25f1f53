#!/usr/bin/env node
/** hpsctl. Alone reads the process's environment, arguments and signals, and ends it. */
import { run } from "./run.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // What does not end when asked once ends when asked again.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  });
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
  signal: interrupt.signal,
  now: Date.now,
});
process.exit(exitCode);
