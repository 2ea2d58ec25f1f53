import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

const MODULE = new URL("./buffer-room.ts", import.meta.url).href;

/** How often V8 marks the heap of a process of its own while 2 GiB of buffers come and go, a few of them kept for a time. */
function markings(prepare: string): number {
  const script = `
    import { setImmediate } from "node:timers/promises";
    import { holdBufferRoom } from ${JSON.stringify(MODULE)};
    const heap = Array.from({ length: 200_000 }, (_, number) => ({ number, text: String(number) }));
    let marked = 0;
    const observer = new PerformanceObserver((list) => {
      marked += list.getEntries().filter(({ detail }) => detail.kind === 4).length;
    });
    observer.observe({ entryTypes: ["gc"] });
    ${prepare}
    const kept = [];
    for (let piece = 0; piece < 32768; piece += 1) {
      kept.push(Buffer.allocUnsafe(65536));
      if (kept.length > 16) kept.shift();
      if (piece % 64 === 0) await setImmediate();
    }
    console.log(heap.length > 0 ? marked : 0);
  `;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }));
}

test("V8 marks the heap less often while room for buffers is held, and as before once all have let go of it", () => {
  const before = markings("");
  expect(markings("holdBufferRoom();")).toBeLessThan(before / 2);
  expect(markings("const one = holdBufferRoom(); using _ = holdBufferRoom(); one[Symbol.dispose]();")).toBeLessThan(
    before / 2,
  );
  const after = markings(
    "for (const room of [holdBufferRoom(), holdBufferRoom()]) { room[Symbol.dispose](); room[Symbol.dispose](); }",
  );
  // More often than it was held to above. How often exactly is V8's, and another time 14 or 9.
  expect(after).toBeGreaterThan(before / 2);
});
