import type { Connection, Target } from "./connection.ts";

interface Kept {
  /** Of whom, and as whom: renewal changes the agent's certificate, and hpsd looks at it at each request. */
  readonly key: string;
  readonly connection: Connection;
}

/** Connections on which another request can be made: opening one for each takes longer than many a part of a file does. */
export class Connections {
  readonly #most: number;
  #idle: Kept[] = [];

  /** Keeps no more than so many. */
  constructor(most: number) {
    this.#most = most;
  }

  /** One that is there already; undefined when there is none. */
  kept(target: Target): Connection | undefined {
    const key = keyOf(target);
    for (const one of this.#idle) if (!one.connection.isIdle) one.connection.destroy();
    this.#idle = this.#idle.filter(({ connection }) => connection.isIdle);
    const found = this.#idle.findLastIndex((one) => one.key === key);
    const [taken] = found === -1 ? [] : this.#idle.splice(found, 1);
    taken?.connection.wake();
    return taken?.connection;
  }

  /** Its request is answered, to the last byte. */
  keep(target: Target, connection: Connection): void {
    this.#idle.push({ key: keyOf(target), connection });
    connection.rest();
    if (this.#idle.length > this.#most) this.#idle.shift()?.connection.destroy();
  }

  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }
}

function keyOf({ host, port, tls }: Target): string {
  return JSON.stringify([host, port, tls?.cert?.toString() ?? "", tls?.ciphers ?? ""]);
}
