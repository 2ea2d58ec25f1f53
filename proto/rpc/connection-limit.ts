/** How many connections a server of Node's own may have, in all and of one address. */
import type { Server, Socket } from "node:net";
import { groupOf } from "./listener.ts";

export interface ConnectionLimits {
  readonly connections: number;
  /** Of one IPv4 address or one IPv6 /64. */
  readonly connectionsPerAddress: number;
}

/** Closes at once what is beyond. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const open = new Map<string, number>();
  server.maxConnections = limits.connections;
  server.on("connection", (socket: Socket) => {
    const address = groupOf(socket.remoteAddress ?? "");
    const held = open.get(address) ?? 0;
    if (held >= limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    open.set(address, held + 1);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
