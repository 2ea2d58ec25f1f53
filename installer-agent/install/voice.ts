import type { EventBody } from "../link/attach-messages.ts";
import { Outbox } from "../link/outbox.ts";
import type { Log, LogLevel } from "../log.ts";
import { fieldsText } from "../log.ts";
import { InstallationRecord } from "./installation-record.ts";
import type { Situation } from "./situation.ts";

/** How an installation speaks, from its first second: to hpsd, for which all waits until the agent is attached, to whoever looks at the machine, and into the record. */
export class Voice {
  readonly outbox: Outbox;
  readonly record = new InstallationRecord();
  readonly situation: Situation;
  /** The machine's own log, and each line of it for hpsd too. */
  readonly log: Log;
  readonly #onFailed = new Set<() => void>();

  constructor(console: Log, situation: Situation, outboxLimit: number) {
    this.outbox = new Outbox(outboxLimit);
    this.situation = situation;
    const at =
      (level: LogLevel): Log[LogLevel] =>
      (message, fields) => {
        console[level](message, fields);
        this.line("agent", `${level === "info" ? "" : `${level}: `}${message}${fieldsText(fields)}`);
      };
    this.log = { error: at("error"), warn: at("warn"), info: at("info"), debug: console.debug };
  }

  /** Not for the console. */
  readonly line = (source: string, text: string): void => {
    this.outbox.log(source, text);
    this.record.line(source, text);
  };

  readonly say = (text: string): void => this.log.info(text);

  readonly event = (body: EventBody): void => {
    this.outbox.event(body);
    this.record.event(body);
    this.situation.hear(body);
    if (body.case === "stepFailed") for (const listener of this.#onFailed) listener();
  };

  /** `listener` is told of every step that fails. */
  onFailed(listener: () => void): void {
    this.#onFailed.add(listener);
  }
}
