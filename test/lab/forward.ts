import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { inNamespace } from "./run.ts";

interface Forward {
  /** On 127.0.0.1 of this process's own namespace. */
  readonly port: number;
  close(): void;
}

/** Leads a loopback port of this process to an address inside a namespace: a netcat there for each connection. */
export async function forwardInto(ns: string, address: string, port: number): Promise<Forward> {
  const open = new Set<ChildProcess>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const [command = "", ...args] = inNamespace(ns, ["busybox", "nc", address, String(port)]);
    const netcat = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
    open.add(netcat);
    sockets.add(socket);
    const end = () => {
      netcat.kill("SIGKILL");
      socket.destroy();
      open.delete(netcat);
      sockets.delete(socket);
    };
    netcat.stdin.on("error", end);
    netcat.once("error", end).once("close", end);
    socket.on("error", end).once("close", end);
    socket.pipe(netcat.stdin);
    netcat.stdout.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: () => {
      server.close();
      for (const netcat of open) netcat.kill("SIGKILL");
      for (const socket of sockets) socket.destroy();
    },
  };
}
