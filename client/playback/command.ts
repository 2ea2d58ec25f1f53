import { StringDecoder } from "node:string_decoder";
import { HpsError } from "../../proto/values/hps-error.ts";
import { note } from "../output/print.ts";
import { type Terminal, write } from "../output/terminal.ts";
import { LOOK } from "./cast.ts";
import { SafeOutput } from "./safe-output.ts";

/** hpsd writes none longer: 64 kB in base64, a command of 64 kB in escapes. */
const MAX_LINE = 1024 * 1024;

/** Shows what is kept of a command: what was run, the beginning of its outputs, how it ended. Times are not kept. */
export async function playCommand(terminal: Terminal, source: AsyncIterable<Uint8Array>, raw: boolean): Promise<void> {
  const streams = { output: new Stream(terminal.stdout, raw), errorOutput: new Stream(terminal.stderr, raw) };
  for await (const line of linesOf(source)) {
    const record = recordOf(line);
    for (const [name, stream] of Object.entries(streams)) await stream.show(record[name]);
    const text = tellingOf(record);
    if (text !== "") await note(terminal, `hpsctl: ${text}`);
  }
}

/** One of the outputs; to a terminal, only what is safe. */
class Stream {
  readonly #screen: Terminal["stdout"];
  readonly #decoder = new StringDecoder("utf8");
  readonly #safe: SafeOutput | undefined;

  constructor(screen: Terminal["stdout"], raw: boolean) {
    this.#screen = screen;
    this.#safe = raw || screen.isTTY !== true ? undefined : new SafeOutput();
  }

  async show(base64: unknown): Promise<void> {
    if (typeof base64 !== "string") return;
    const bytes = Buffer.from(base64, "base64");
    await write(this.#screen, this.#safe === undefined ? bytes : this.#safe.filter(this.#decoder.write(bytes)));
  }
}

/** What is to be said of a line that is no output. */
function tellingOf(record: Readonly<Record<string, unknown>>): string {
  if ("command" in record) return `ran ${JSON.stringify(record.command)}`;
  if ("exit" in record) {
    const { exit, reason, inputBytes, outputBytes, errorBytes } = record;
    const ended = exit === null ? `it was ended: ${reason}` : `exit code ${exit}`;
    return `${ended}; input ${inputBytes} bytes, output ${outputBytes}, error output ${errorBytes}; at most 64 kB are kept of each`;
  }
  if ("file" in record) {
    const { file, type, size, digest, link } = record;
    const content = type === "file" ? `${size} bytes ${digest}` : `${type}${link === undefined ? "" : ` to ${link}`}`;
    return `${file}  ${content}`;
  }
  return "notAnArchive" in record ? `what was called a copy is none: ${record.notAnArchive}` : "";
}

async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const piece of source) {
    const lines = (rest + decoder.write(Buffer.from(piece))).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) throw new HpsError("data-loss", "a line of the recording has no end", { hint: LOOK });
    yield* lines;
  }
}

function recordOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null) return Object.fromEntries(Object.entries(record));
  } catch {
    // Told below.
  }
  throw new HpsError("data-loss", "a line of the recording is no record of a command", { hint: LOOK });
}
