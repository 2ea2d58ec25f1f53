import { createConnection, createServer, type Socket } from "node:net";

export interface CutableWire extends Disposable {
  readonly port: number;
  /** As the death of the machine at its end. */
  readonly cut: () => void;
  /** The way is there again, at the same port. */
  readonly mend: () => Promise<void>;
}

/** A way to a server on this machine that can be cut and mended. */
export async function cutableWire(port: number): Promise<CutableWire> {
  const sockets = new Set<Socket>();
  const wire = createServer((near) => {
    const far = createConnection(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  const listen = async (at: number) => await new Promise<void>((resolve) => wire.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const address = wire.address();
  const own = typeof address === "object" && address !== null ? address.port : 0;
  const cut = () => {
    wire.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { port: own, cut, mend: async () => await listen(own), [Symbol.dispose]: cut };
}
