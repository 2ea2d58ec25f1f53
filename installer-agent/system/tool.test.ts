import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { runTool, type ToolOptions } from "./tool.ts";

function rig(changes: Partial<ToolOptions> = {}) {
  const lines: string[] = [];
  const options = {
    signal: AbortSignal.timeout(60_000),
    log: (line: string) => void lines.push(line),
    limitMs: 30_000,
  };
  const run = (...argv: string[]) => runTool(argv, { ...options, ...changes });
  const sh = (script: string) => run("sh", "-c", script);
  return { lines, run, sh };
}

/** Of a process: `S`, `Z` for one that ended and nobody has asked for; empty for none. */
async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return /\) (\w)/.exec(stat)?.[1] ?? "";
}

test("gives what the program wrote, and every line to the log as it is", async () => {
  const { lines, sh } = rig();
  await expect(sh("echo one; echo two >&2; printf 'thr\\303\\251e'")).resolves.toBe("one\nthrée");
  expect(lines[0]).toMatch(/^\$ sh -c "echo one/);
  expect(lines.slice(1).toSorted()).toEqual(["one", "thrée", "two"]);
});

test("the program reads its input to the end, and none where there is none", async () => {
  await expect(rig({ input: "label: gpt\n" }).run("cat")).resolves.toBe("label: gpt\n");
  await expect(rig().run("cat")).resolves.toBe("");
  await expect(rig({ input: "x".repeat(300_000) }).run("true")).resolves.toBe("");
});

test("progress drawn over one line is lines, and no line is endless", async () => {
  const { lines, sh } = rig();
  await sh("printf '10%%\\r20%%\\r\\n'; head -c 100000 /dev/zero | tr '\\0' x");
  expect(lines.slice(1, 3)).toEqual(["10%", "20%"]);
  expect(lines[3]?.length).toBe(500);
});

test("a failure names the program, its code and its last words, which are made safe", async () => {
  await expect(rig().sh("echo a; echo b; echo c; printf 'no \\033[2Jspace\\n' >&2; sleep 0.2; exit 3")).rejects.toThrow(
    /^sh ended with code 3: .*"no \\x1b\[2Jspace"/,
  );
  await expect(rig().sh("exit 1")).rejects.toThrow("sh ended with code 1 and said nothing");
  await expect(rig().sh("kill -9 $$")).rejects.toThrow("sh was killed by signal 9 and said nothing");
  await expect(rig().run("hps-no-such-program")).rejects.toMatchObject({ code: "not-found" });
});

test("a code that is no failure is none; quiet keeps the output out of the log", async () => {
  const { lines, sh } = rig({ accept: [0, 2], quiet: true });
  await expect(sh("echo found; exit 2")).resolves.toBe("found\n");
  expect(lines).toHaveLength(1);
  await expect(sh("exit 1")).rejects.toBeInstanceOf(HpsError);
});

test("one that takes too long is ended with all it started, also when it does not listen", async () => {
  const { lines, sh } = rig({ limitMs: 300 });
  const began = performance.now();
  await expect(sh("trap '' TERM; sleep 987 & echo $!; wait; sleep 988")).rejects.toMatchObject({
    code: "deadline",
    message: expect.stringMatching(/^sh was ended: it took longer than 0\.3 s/),
  });
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(await stateOf(Number(lines[1]))).toMatch(/^[ZX]?$/);
});

test("the signal ends it, and what it leaves behind does not hold us", async () => {
  const stop = new AbortController();
  const running = rig({ signal: stop.signal, log: () => stop.abort(new HpsError("cancelled", "stop")) }).sh(
    "sleep 989",
  );
  await expect(running).rejects.toThrow("stop");
  const began = performance.now();
  await expect(rig().sh("sleep 30 & echo $!")).resolves.toMatch(/^\d+\n$/);
  expect(performance.now() - began).toBeLessThan(20_000);
});
