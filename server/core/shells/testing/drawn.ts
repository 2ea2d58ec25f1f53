/** For tests: what those who look at a session see. */
import headless from "@xterm/headless";
import type { Participant } from "../participant.ts";

/** Of every terminal that is opened here. */
export const SIZE = { rows: 24, columns: 80 };

/** What a viewer's terminal shows that was sent these bytes. */
export async function drawn(bytes: Uint8Array, { rows, columns } = SIZE) {
  const terminal = new headless.Terminal({ rows, cols: columns, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(bytes, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: rows }, (_, row) => active.getLine(active.baseY + row)?.translateToString(true));
  return { lines: lines.map((line) => line?.trimEnd()), cursor: [active.cursorX, active.cursorY], screen: active.type };
}

/** Reads all that a participant is sent. */
export function reader(participant: Participant) {
  const pieces: Uint8Array[] = [];
  const done = (async () => {
    for await (const { value } of participant.output) if (value instanceof Uint8Array) pieces.push(value);
    participant.leave("");
  })();
  return { done, bytes: () => Buffer.concat(pieces) };
}
