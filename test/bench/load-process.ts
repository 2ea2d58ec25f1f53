import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { FromLoad, LoadOrder, ToLoad } from "./load-messages.ts";

/** A load generator as the measuring process holds it; ends with the scope. */
export class LoadProcess implements Disposable {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(new URL("./agent-load.ts", import.meta.url), { execArgv: ["--max-old-space-size=8192"] });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** How long attaching took, ms. */
  async attach(order: LoadOrder): Promise<number> {
    this.#tell({ kind: "attach", order });
    const answer = await this.#answer();
    if (answer.kind !== "attached") throw new Error(`attaching: ${JSON.stringify(answer)}`);
    return answer.ms;
  }

  async run(warmUpMs: number, measureMs: number): Promise<Extract<FromLoad, { kind: "measured" }>> {
    this.#tell({ kind: "run", warmUpMs, measureMs });
    const answer = await this.#answer();
    if (answer.kind !== "measured") throw new Error(`under load: ${JSON.stringify(answer)}`);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  #tell(message: ToLoad): void {
    this.#child.send(message);
  }

  async #answer(): Promise<FromLoad> {
    const ended = once(this.#child, "exit").then(([code]): [FromLoad] => [
      { kind: "failed", reason: `the generator ended with ${code}` },
    ]);
    const [answer] = await Promise.race([once(this.#child, "message"), ended]);
    return answer;
  }
}
