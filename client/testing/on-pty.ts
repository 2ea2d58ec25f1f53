import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { spawn } from "node-pty";
import { expect } from "vitest";
import type { TestServer } from "./test-server.ts";

const cache = getCompileCacheDir();

/** What a shell needs to start hpsctl itself, `"$NODE" "$MAIN"`: with what Node made of its sources before. */
export const HPSCTL = {
  NODE: process.execPath,
  MAIN: new URL("../main.ts", import.meta.url).pathname,
  ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) }),
};

/** Runs hpsctl under a real terminal, between two looks at the terminal's settings. */
export function onPty(server: Pick<TestServer, "environment">, words: string) {
  const script = `stty -g; "$NODE" "$MAIN" ${words}; echo "exit=$?"; stty -g; echo "the end"`;
  const environment = { ...server.environment, ...HPSCTL, PATH: "/usr/bin:/bin" };
  const pty = spawn("/bin/sh", ["-c", script], { cols: 91, rows: 33, name: "xterm", env: environment });
  let seen = "";
  pty.onData((data) => {
    seen += data;
  });
  const until = (text: string) => expect.poll(() => seen, { timeout: 15_000 }).toContain(text);
  const settings = () => seen.split("\r\n").filter((line) => /^[0-9a-f]+(:[0-9a-f]+){10,}$/.test(line));
  return { pty, until, settings, seen: () => seen };
}
