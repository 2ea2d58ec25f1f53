import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();
const NOWHERE = { environment: { HPSCONFIG: "/nonexistent/hps.yaml" } };

async function offered(place: Parameters<typeof hpsctl>[0], ...words: string[]): Promise<string[]> {
  const { code, out, err } = await hpsctl(place, ["__complete", "--", ...words]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out.split("\n").filter((word) => word !== "");
}

test("groups, their commands, options and choices", async () => {
  expect(await offered(NOWHERE, "")).toEqual([
    ...[
      "install",
      "host",
      "installation",
      "image",
      "cluster",
      "session",
      "grant",
      "operator",
      "cert",
      "audit",
      "installer-image",
      "context",
    ],
    ...["installer-shell", "cp", "login", "status", "whoami", "completion"],
  ]);
  expect(await offered(NOWHERE, "c")).toEqual(["cluster", "cert", "context", "cp", "completion"]);
  expect(await offered(NOWHERE, "host", "")).toEqual([
    ...["ls", "get", "add", "edit", "rm", "arm", "disarm", "contacts", "approve", "rescue", "claim"],
  ]);
  expect(await offered(NOWHERE, "inst", "wa")).toEqual(["watch"]);
  expect(await offered(NOWHERE, "host", "arm", "web01", "--w")).toEqual([
    "--wait",
    "--window",
    "--wipe",
    "--wipe-disk",
  ]);
  expect(await offered(NOWHERE, "install", "web01", "--wip")).toEqual(["--wipe", "--wipe-disk"]);
  expect(await offered(NOWHERE, "host", "ls", "-o", "")).toEqual(["table", "wide", "json", "yaml", "name"]);
  expect(await offered(NOWHERE, "cluster", "add", "lab", "--admission", "a")).toEqual(["armed", "approve"]);
  expect(await offered(NOWHERE, "completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(await offered(NOWHERE, "shell", "web01", "--", "l")).toEqual([]);
  expect(await offered(NOWHERE, "nonsense", "")).toEqual([]);
});

test("hosts that exist now, and nothing a shell would have to quote", async () => {
  const hosts = [testHost(1), testHost(2), testHost(3, { name: "$(reboot)" })];
  const listImages = async () => ({ images: [{ name: "debian/base:12" }], nextPageToken: "" });
  const shells = { listSessions: async () => ({ sessions: [{ id: "s1" }] }) };
  const grants = { listGrants: async () => ({ grants: [{ id: "g1" }] }) };
  const server = await start({ hosts: hostReaders(hosts), images: { listImages }, shells, grants });
  expect(await offered(server, "host", "arm", "")).toEqual(["web0001", "web0002"]);
  expect(await offered(server, "shell", "lab/")).toEqual(["lab/web0001", "lab/web0002"]);
  expect(await offered(server, "install", "web0001", "--image", "deb")).toEqual(["debian/base:12"]);
  expect(await offered(server, "image", "rm", "")).toEqual(["debian/base:12"]);
  expect(await offered(server, "session", "approve", "")).toEqual(["s1"]);
  expect(await offered(server, "grant", "rm", "")).toEqual(["g1"]);
  expect(await offered(server, "--context", "")).toEqual(["test"]);
  expect(await offered(NOWHERE, "host", "arm", "")).toEqual([]);
});

test("bash takes the script and offers what hpsctl does", async () => {
  const { out } = await hpsctl(NOWHERE, "completion bash");
  const script = `${out}
hpsctl() { printf '%s\\n' "$*" >&2; printf 'web01\\nweb02\\n'; }
COMP_LINE='hpsctl host arm we' COMP_POINT=18 COMP_WORDS=(hpsctl host arm we) COMP_CWORD=3
_hpsctl 2>/dev/null
printf '%s,' "\${COMPREPLY[@]}"`;
  expect(execFileSync("bash", ["-c", script], { encoding: "utf8" })).toBe("web01,web02,");
  for (const shell of ["zsh", "fish"])
    expect((await hpsctl(NOWHERE, `completion ${shell}`)).out).toContain("__complete");
  expect((await hpsctl(NOWHERE, "completion tcsh")).code).toBe(2);
});
