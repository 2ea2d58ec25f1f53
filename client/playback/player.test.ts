import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { playKeys } from "./keys.ts";
import { Player, type PlayerOptions } from "./player.ts";

const CAST = [
  '{"version":3,"term":{"cols":101,"rows":33}}',
  '[0.5, "o", "one "]',
  "# a comment",
  '[1.0, "i", "typed"]',
  '[60.0, "o", "\\u001b]52;c;eA==\\u0007two "]',
  '[1.0, "r", "80x24"]',
  '[10.0, "o", "three "]',
  '[0.1, "x", "7"]',
  "# raw 1 bytes",
];

function playerOf(options: Partial<PlayerOptions> = {}) {
  const written: { readonly text: string; readonly at: number }[] = [];
  const player = new Player({
    lines: async function* () {
      yield* CAST;
    },
    write: async (text) => void written.push({ text, at: Math.round(performance.now() - began) }),
    now: () => performance.now(),
    ...{ speed: 1, idleLimit: Number.POSITIVE_INFINITY, from: 0, raw: false },
    ...options,
  });
  const began = performance.now();
  return { player, written, text: () => written.map(({ text }) => text).join("") };
}

/** Timers and the clock go as fast as the test says. */
async function withClock<T>(run: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    return await run();
  } finally {
    vi.useRealTimers();
  }
}

test("it waits as the recording waited, passes what is safe, and tells the end", async () => {
  await withClock(async () => {
    const { player, written, text } = playerOf();
    const playing = player.play();
    await vi.advanceTimersByTimeAsync(62_000);
    expect(text()).toBe("one two ");
    await vi.advanceTimersByTimeAsync(12_000);
    expect(await playing).toEqual({ exit: "7", quit: false });
    expect(written.map(({ text, at }) => [text, at])).toEqual([
      ["one ", 500],
      ["two ", 61_500],
      ["three ", 72_500],
    ]);
  });
});

test("twice as fast, with short pauses, from a moment on: what was before comes at once", async () => {
  await withClock(async () => {
    const { player, written } = playerOf({ speed: 2, idleLimit: 2_000, from: 61_600 });
    const playing = player.play();
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await playing).exit).toBe("7");
    expect(written[0]).toEqual({ text: "one two ", at: 0 });
    expect(written.slice(1).map(({ text }) => text)).toEqual(["three "]);
    expect(written[1]?.at).toBe(1_450);
  });
});

test("keys: pause, one step, on, back to the beginning, quit", async () => {
  await withClock(async () => {
    const { player, text } = playerOf();
    const playing = player.play();
    player.press("pause");
    await vi.advanceTimersByTimeAsync(100_000);
    expect(text()).toBe("");
    player.press("step");
    await vi.advanceTimersByTimeAsync(1);
    expect(text()).toBe("one ");
    for (let count = 0; count < 13; count += 1) player.press("on");
    await vi.advanceTimersByTimeAsync(1);
    expect(text()).toBe("one two ");
    for (let count = 0; count < 14; count += 1) player.press("back");
    await vi.advanceTimersByTimeAsync(1);
    expect(text()).toBe("one two \x1b[?1049l\x1b[!p\x0f\x1b[2J\x1b[H");
    player.press("quit");
    expect(await playing).toEqual({ exit: undefined, quit: true });
  });
});

test("faster and slower change what is left to wait", async () => {
  await withClock(async () => {
    const { player, text } = playerOf();
    const playing = player.play();
    await vi.advanceTimersByTimeAsync(1_500);
    for (let count = 0; count < 5; count += 1) player.press("faster");
    await vi.advanceTimersByTimeAsync(2_500);
    expect(await playing).toMatchObject({ exit: "7" });
    expect(text()).toBe("one two three ");
  });
});

test("raw passes all", async () => {
  const { player, text } = playerOf({ raw: true, from: 100_000 });
  await player.play();
  expect(text()).toContain("\x1b]52;c;eA==\x07two");
});

test("a recording that still grows is played up to what is there, and what is none is refused", async () => {
  const cut = playerOf({
    lines: async function* () {
      yield* CAST.slice(0, 2);
      await delay(1);
    },
  });
  expect(await cut.player.play()).toEqual({ exit: undefined, quit: false });
  const none = playerOf({
    lines: async function* () {
      yield "{}";
    },
  });
  await expect(none.player.header()).rejects.toMatchObject({ code: "data-loss" });
  const broken = playerOf({
    lines: async function* () {
      yield* [...CAST.slice(0, 2), '[-1, "o", "x"]'];
    },
  });
  await expect(broken.player.play()).rejects.toMatchObject({ code: "data-loss" });
});

test("keys are found in whatever comes", () => {
  expect(playKeys("\x1b[D\x1bOCx \x1b[15~.q")).toEqual(["back", "on", "pause", "step", "quit"]);
  expect(playKeys("")).toEqual([]);
});

test.each([["-0.1"], ["1e999"], ["1e300"], ['"1"'], ["null"]])(
  "a line whose time is %s is no event: it is said, with what to do",
  async (time) => {
    const lines = async function* () {
      yield '{"version":3,"term":{"cols":101,"rows":33}}';
      yield `[${time}, "o", "x"]`;
    };
    const { player, text } = playerOf({ lines });
    await expect(player.play()).rejects.toMatchObject({ code: "data-loss", hint: expect.stringContaining("verify") });
    expect(text()).toBe("");
  },
);
