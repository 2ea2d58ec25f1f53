/**
 * Records a terminal session in the folder of its first argument, under the id of its second, and never stops; each number it
 * prints is how many bytes were recorded, and would have been shown. Killed by recording-kill.test.ts.
 */
import { parseTerminalType } from "../../proto/values/terminal.ts";
import { Recorder } from "../../server/core/shells/recorder.ts";

const [, , folder = "", id = ""] = process.argv;
const session = { id, host: "h1", operator: "alice", reason: "", startedAt: Date.now() };
const terminal = { term: parseTerminalType("xterm"), rows: 24, columns: 80 };
const start = { command: [], terminal, reason: "", environment: {} };
const recorder = await Recorder.create({ folder, mode: "strict" }, session, start);
for (let count = 0; ; count += 1) {
  // Characters of one to four bytes, cut anywhere.
  const text = Buffer.from(`${count} \u00e9 \u20ac \u{1f600}\r\n`.repeat(1 + (count % 400)));
  const cut = count % text.length;
  await recorder.output("output", text.subarray(0, cut));
  await recorder.output("output", text.subarray(cut));
  process.stdout.write(`${recorder.outputBytes}\n`);
}
