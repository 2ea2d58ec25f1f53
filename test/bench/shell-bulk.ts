/** How fast a session carries much, each way and at a terminal; milliseconds for all of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { endWithUs } from "../lab/program.ts";
import type { TypedTerminal } from "../lab/typed-terminal.ts";

type Environment = Readonly<Record<string, string>>;

/** A program that gives a line as soon as it is there, and then so many bytes. Timed from that line on. */
export async function timeOutput(argv: readonly string[], env: Environment, bytes: number): Promise<number> {
  await using child = startChild(argv, env);
  const first = await begun(child.stdout);
  const start = performance.now();
  let left = bytes - first;
  for await (const chunk of child.stdout) left -= chunk.length;
  if (left !== 0) throw new Error(`${argv.join(" ")}: ${left} bytes are missing`);
  return performance.now() - start;
}

/** A program that gives a line as soon as it is there, reads all it is given and tells how much that was. */
export async function timeInput(argv: readonly string[], env: Environment, bytes: number): Promise<number> {
  await using child = startChild(argv, env);
  await begun(child.stdout);
  const start = performance.now();
  const piece = Buffer.alloc(256 * 1024, "x");
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!child.stdin.write(left < piece.length ? piece.subarray(0, left) : piece)) await once(child.stdin, "drain");
  }
  child.stdin.end();
  let said = "";
  for await (const chunk of child.stdout) said += String(chunk);
  if (Number(said) !== bytes) throw new Error(`${argv.join(" ")}: ${said} of ${bytes} bytes arrived`);
  return performance.now() - start;
}

/** Shows a file of text on a terminal that is at a shell's prompt. */
export async function timeScreen(terminal: TypedTerminal, file: string): Promise<number> {
  await terminal.type(`echo beg""in; cat ${file}; echo do""ne\n`);
  await terminal.shows("begin\r\n");
  const start = performance.now();
  await terminal.shows("done\r\n");
  return performance.now() - start;
}

/** Resolves when the first line has come: how many bytes were behind it already. */
async function begun(stdout: Readable): Promise<number> {
  for (let text = Buffer.alloc(0); ; ) {
    const chunk: Buffer | null = stdout.read();
    if (chunk === null) await once(stdout, "readable");
    else text = Buffer.concat([text, chunk]);
    const end = text.indexOf(10);
    if (end >= 0) return text.length - end - 1;
  }
}

function startChild([file = "", ...args]: readonly string[], env: Environment) {
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const released = endWithUs(child.pid ?? -1);
  const gone = once(child, "exit").then(released);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await gone;
      clearTimeout(timer);
    },
  };
}
