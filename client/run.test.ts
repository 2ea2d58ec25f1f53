import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { VERSION } from "../proto/values/program-version.ts";
import { hpsctl } from "./testing/hpsctl.ts";
import { HPSCTL } from "./testing/on-pty.ts";

const NOWHERE = { environment: { HPSCONFIG: "/nonexistent/hps.yaml" } };

test.each([
  "",
  "hots ls",
  "host",
  "host foo",
  "host ls --nonsense",
  "host ls -o xml",
  "host arm",
  "host approve web01",
  "host add web01 --resume sometimes",
  "installer-shell",
  "login https://hpsd",
  "completion",
])("a wrong command line is exit code 2, told on stderr: %j", async (words) => {
  const { code, out, err } = await hpsctl(NOWHERE, words === "" ? [] : words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(/^(error: |Usage: )/);
});

test.each(["host ls extra", "status extra"])("too many words: %j", async (words) => {
  expect((await hpsctl(NOWHERE, words)).code).toBe(2);
});

test("an unknown command's own text is shown safely", async () => {
  const { err } = await hpsctl(NOWHERE, ["host\x1b[2J"]);
  expect(err).toContain("host\\x1b[2J");
  expect(err).not.toContain("\x1b");
});

test("help and version go to stdout", async () => {
  for (const words of ["--help", "help", "host --help", "help host", "help host arm", "installer-shell --help"]) {
    const { code, out, err } = await hpsctl(NOWHERE, words);
    expect({ code, err }, words).toEqual({ code: 0, err: "" });
    expect(out, words).toMatch(/^Usage: hpsctl/);
  }
  expect((await hpsctl(NOWHERE, "--version")).out).toBe(`${VERSION}\n`);
  expect((await hpsctl(NOWHERE, "help host arm")).out).toContain("--wipe-disk <serial>");
});

test("every command of every group has a description", async () => {
  const { buildProgram, loadGroup } = await import("./commands/program.ts");
  const { toolsFor } = await import("./commands/group.ts");
  const { fakeTerminal } = await import("./testing/fake-terminal.ts");
  const tools = toolsFor(fakeTerminal(), () => undefined);
  const program = buildProgram(tools);
  for (const group of program.commands) {
    await loadGroup(group, tools);
    for (const command of [group, ...group.commands]) expect(command.description(), command.name()).not.toBe("");
  }
});

test("without a context the error says how to get one", async () => {
  const { code, err } = await hpsctl(NOWHERE, "host ls");
  expect(code).toBe(7);
  expect(err).toBe(
    "error: no context is chosen\nhint: join a server with `hpsctl login`, or choose with `hpsctl context use`\n",
  );
});

test("a full disk and a reader that went away are told apart", async () => {
  const program = (words: string) =>
    spawnSync("/bin/sh", ["-c", `exec "$NODE" "$MAIN" ${words}`], {
      env: { ...HPSCTL, HOME: "/nonexistent" },
      encoding: "utf8",
      timeout: 20_000,
    });
  const full = program("completion bash > /dev/full");
  expect(full.stderr).toBe("error: cannot write the output: ENOSPC\n");
  expect(full.status).toBe(8);
  expect(program("completion nonsense").status).toBe(2);
  expect(program("completion bash | true; echo done").stderr).toBe("");
});
