import { BuildScreen } from "../output/build-screen.ts";
import type { Call } from "./call.ts";

/** Shows what a build prints while it runs, and its last lines when it fails. */
export async function onBuildScreen<Result>(
  call: Call,
  build: (onLine: (line: string) => void) => Promise<Result>,
): Promise<Result> {
  const screen = new BuildScreen(call.terminal);
  try {
    return await build((line) => screen.show(line));
  } catch (error) {
    if (!call.terminal.signal.aborted) screen.failed();
    throw error;
  } finally {
    screen.done();
  }
}
