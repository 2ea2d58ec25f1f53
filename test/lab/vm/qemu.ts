import { spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { endWithUs } from "../program.ts";
import { inNamespace, killGroup } from "../run.ts";
import type { Console } from "./console.ts";
import { Qmp } from "./qmp.ts";

export interface Qemu {
  readonly pid: number;
  readonly qmp: Qmp;
  /** QEMU is gone, and its console is read to the end. Resolves with the exit code, 128 when a signal ended it. */
  readonly ended: Promise<number>;
  /** As pulling the plug: nothing more is written. Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface QemuStart {
  readonly argv: readonly string[];
  readonly console: Console;
  readonly ns?: string;
}

/** Runs QEMU with a command line of `commandLine`; its processors do not run yet. */
export async function startQemu({ argv, console, ns }: QemuStart): Promise<Qemu> {
  const [command = "", ...args] = inNamespace(ns, argv);
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe", "pipe"], detached: true });
  const { pid = -1 } = child;
  const released = endWithUs(pid);
  const { stdin: input, stdout: output, stderr: errors } = child;
  const control = child.stdio[3] as Duplex; // a socket, as all of Node's pipes
  let complaint = "";
  errors.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  input.on("error", () => undefined);
  output.on("data", (chunk: Buffer) => console.grow(chunk));
  console.connect(input);
  const ended = new Promise<number>((resolve) => {
    const finish = (code: number) => {
      released();
      console.disconnect();
      resolve(code);
    };
    child.once("error", () => finish(127));
    child.once("close", (code) => finish(code ?? 128));
  });
  const kill = async () => {
    killGroup(child.pid, "SIGKILL");
    await ended;
  };
  try {
    return { pid, qmp: await Qmp.open(control), ended, kill };
  } catch (cause) {
    await kill();
    throw new HpsError("internal", `QEMU did not start: ${complaint.trim()}\n${argv.join(" ")}`, { cause });
  }
}
