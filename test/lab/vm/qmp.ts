import type { Duplex } from "node:stream";
import { HpsError } from "../../../proto/values/hps-error.ts";

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** QEMU's control channel. Replies come in the order of the commands. */
export class Qmp {
  readonly #socket: Duplex;
  readonly #pending: Pending[] = [];
  readonly #events: QmpEvent[] = [];
  readonly #watchers = new Set<() => void>();
  #rest = "";
  #over = false;

  /** Greets; the processors stay as they are. */
  static async open(socket: Duplex): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  private constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk.toString()));
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** The command's `return`. Throws what QEMU answers else, and when it ends first. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#over) throw new HpsError("unavailable", `QEMU has ended: ${command} was not sent`);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return new Promise((resolve, reject) => {
      const explain = (error: Error) => reject(new HpsError("internal", `QMP ${command}: ${error.message}`));
      this.#pending.push({ resolve, reject: explain });
    });
  }

  /** Takes the first event of this kind that `which` accepts, of those that came since the power came on and were not taken. */
  takeEvent(event: string, limitMs: number, which: (event: QmpEvent) => boolean = () => true): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        act();
      };
      const look = () => {
        const at = this.#events.findIndex((one) => one.event === event && which(one));
        const [found] = at === -1 ? [] : this.#events.splice(at, 1);
        if (found !== undefined) settle(() => resolve(found));
        else if (this.#over) settle(() => reject(new HpsError("unavailable", `QEMU ended without ${event}`)));
      };
      const late = () => settle(() => reject(new HpsError("deadline", `no ${event} of QEMU within ${limitMs} ms`)));
      const timer = setTimeout(late, limitMs);
      this.#watchers.add(look);
      look();
    });
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") this.#take(JSON.parse(line));
  }

  #take(message: Readonly<Record<string, unknown>>): void {
    if (typeof message.event === "string") {
      this.#events.push({ event: message.event, data: Object(message.data ?? {}) });
      this.#wake();
    } else if ("return" in message) this.#pending.shift()?.resolve(message.return);
    else if ("error" in message) this.#pending.shift()?.reject(new Error(String(Object(message.error).desc)));
  }

  #end(): void {
    this.#over = true;
    for (const { reject } of this.#pending.splice(0)) reject(new Error("QEMU ended before it answered"));
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#watchers]) look();
  }
}
