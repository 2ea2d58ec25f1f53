import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CopyDirection } from "../../proto/gen/hps/v1/shell_pb.ts";
import { latin1 } from "../../proto/tree/byte-string.ts";
import { END_MARK, encodeEntry, type NewEntry, paddingOf } from "../../proto/tree/tar/encode.ts";
import { copyText } from "../copy/remote-script.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { runningHost } from "../testing/running-host.ts";

const start = useServers();
let folder = "";
let here = "";
let there = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hpsctl-cp-"));
  here = join(folder, "here");
  there = join(folder, "there");
  await Promise.all([mkdir(here), mkdir(there)]);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A host whose programs are GNU's, or busybox's alone as in the installer. */
async function hostWith(programs: "gnu" | "busybox") {
  const path = join(folder, "bin");
  await mkdir(path);
  const names = ["sh", "tar", "mv", "rm", "mkdir"];
  if (programs === "busybox") await Promise.all(names.map((name) => symlink("/bin/busybox", join(path, name))));
  const host = runningHost(there, programs === "busybox" ? path : "/usr/bin:/bin");
  const server = await start({ shells: { openSession: host.openSession } });
  return { host, cp: (...words: readonly string[]) => hpsctl(server, ["cp", ...words]), server };
}

/** Everything below a folder: names in Latin-1, kinds, modes, content. */
async function treeOf(root: string, below = ""): Promise<readonly string[]> {
  const names = await readdir(Buffer.from(root + below, "latin1"), { encoding: "buffer" });
  const lines = names.map(async (name) => {
    const shown = `${below}/${name.toString("latin1")}`;
    const path = Buffer.from(root + shown, "latin1");
    const what = await lstat(path);
    if (what.isSymbolicLink()) return [`${shown} -> ${await readlink(path)}`];
    const mode = (what.mode & 0o7777).toString(8);
    if (what.isDirectory()) return [`${shown}/ ${mode}`, ...(await treeOf(root, shown))];
    return [
      `${shown} ${mode} ${createHash("sha256")
        .update(await readFile(path))
        .digest("hex")}`,
    ];
  });
  return (await Promise.all(lines)).flat().sort();
}

const LONG = "long-".repeat(30);

/** A tree with everything a copy has to carry. */
async function plant(root: string): Promise<void> {
  await mkdir(join(root, "tree", LONG, LONG), { recursive: true });
  await writeFile(join(root, "tree", LONG, LONG, "deep"), "deep\n");
  await writeFile(join(root, "tree", "empty"), "");
  await writeFile(join(root, "tree", "-rf"), "a dash\n");
  await writeFile(join(root, "tree", "new\nline"), "two lines\n");
  await writeFile(Buffer.concat([Buffer.from(`${root}/tree/`), Buffer.from([0x62, 0xff, 0xfe])]), "bytes\n");
  await writeFile(join(root, "tree", "big"), randomBytes(700_001));
  await symlink("../../nowhere", join(root, "tree", "dangling"));
  await symlink(`${LONG}/${LONG}`, join(root, "tree", "link"));
  await chmod(join(root, "tree", "big"), 0o755);
  await mkdir(join(root, "tree", "closed"), { mode: 0o700 });
  await writeFile(join(root, "tree", "closed", "file"), "x", { mode: 0o600 });
  await utimes(join(root, "tree", "empty"), 1_000_000_000, 1_000_000_000);
  await utimes(join(root, "tree", "closed"), 1_100_000_000, 1_100_000_000);
}

describe.each(["gnu", "busybox"] as const)("with %s on the host", (programs) => {
  test("a tree goes there and comes back as it was: names of any bytes, links, modes and times", async () => {
    const { host, cp } = await hostWith(programs);
    await plant(here);
    expect(await cp("-rp", join(here, "tree"), "web01:copy")).toMatchObject({ code: 0, out: "" });
    expect(await treeOf(join(there, "copy"))).toEqual(await treeOf(join(here, "tree")));
    expect((await stat(join(there, "copy", "empty"))).mtimeMs).toBe(1_000_000_000_000);
    // Of the top itself busybox makes links that lead out of it later than all else.
    expect((await stat(join(there, "copy", "closed"))).mtimeMs).toBe(1_100_000_000_000);
    await mkdir(join(here, "back"));
    expect(await cp("-rp", "web01:copy", join(here, "back"))).toMatchObject({ code: 0, out: "" });
    expect(await treeOf(join(here, "back", "copy"))).toEqual(await treeOf(join(here, "tree")));
    expect((await stat(join(here, "back", "copy", "closed"))).mtimeMs).toBe(1_100_000_000_000);
    const shown = host.started.map(({ command }) => copyText(command));
    expect(shown).toEqual(["copy to ./copy", "copy of ./copy"]);
    expect(copyText(["/bin/sh", "-c", "rm -rf /", "hpsctl-cp", "./copy"])).toBe(undefined);
    const [{ command = [] } = {}] = host.started;
    expect(copyText(command.map((word) => (word === "" ? "--to-command=rm -rf /" : word)))).toBe(undefined);
    expect(copyText([...command, "more"])).toBe(undefined);
    const directions = host.started.map(({ copy }) => copy?.direction);
    expect(directions).toEqual([CopyDirection.TO_HOST, CopyDirection.FROM_HOST]);
  });

  test("a folder that is on the host keeps its mode, without -p", async () => {
    const { cp } = await hostWith(programs);
    for (const root of [here, there]) await mkdir(join(root, "etc", "inner"), { recursive: true });
    await mkdir(join(here, "etc", "new"));
    const modes = async (...names: readonly string[]) =>
      await Promise.all(names.map(async (name) => ((await stat(join(there, name))).mode & 0o7777).toString(8)));
    for (const name of ["etc", "etc/inner", "etc/new"]) await chmod(join(here, name), 0o700);
    await writeFile(join(here, "etc", "inner", "file"), "x", { mode: 0o640 });
    await chmod(there, 0o751);
    expect(await cp("-r", join(here, "etc"), "web01:")).toMatchObject({ code: 0 });
    expect(await cp("-r", `${join(here, "etc")}/.`, `web01:${there}`)).toMatchObject({ code: 0 });
    expect(await modes("", "etc", "etc/inner", "etc/new", "new")).toEqual(["751", "755", "755", "700", "700"]);
    expect(await modes("etc/inner/file", "inner/file")).toEqual(["640", "640"]);
    expect(await cp("-rp", join(here, "etc"), "web01:")).toMatchObject({ code: 0 });
    expect(await modes("etc", "etc/inner")).toEqual(["700", "700"]);
  });

  test("one file: to a new name, into a folder, over another; without -p it is new", async () => {
    const { cp } = await hostWith(programs);
    await writeFile(join(here, "a file"), "one");
    await chmod(join(here, "a file"), 0o4777);
    await utimes(join(here, "a file"), 1_000_000_000, 1_000_000_000);
    await mkdir(join(there, "folder"));
    await writeFile(join(there, "other"), "before");
    for (const to of ["new", "folder", "other", `${there}/absolute`]) {
      expect(await cp(join(here, "a file"), `web01:${to}`), to).toMatchObject({ code: 0 });
    }
    for (const name of ["new", "folder/a file", "other", "absolute"]) {
      const found = await stat(join(there, name));
      expect(await readFile(join(there, name), "utf8")).toBe("one");
      expect((found.mode & 0o7777).toString(8), name).toBe("755");
      expect(found.mtimeMs).toBeGreaterThan(1_700_000_000_000);
    }
    expect(await cp("web01:other", join(here, "back"))).toMatchObject({ code: 0 });
    expect(await readFile(join(here, "back"), "utf8")).toBe("one");
    expect(await cp("web01:other", "web01:./folder/a file", here)).toMatchObject({ code: 0 });
    expect((await readdir(here)).sort()).toEqual(["a file", "back", "other"]);
    expect((await readdir(there)).sort()).toEqual(["absolute", "folder", "new", "other"]);
  });

  test.each([
    [["HERE/none", "web01:x"], 3, "is not there"],
    [["HERE/tree", "web01:x"], 7, "add -r"],
    [["web01:none", "HERE/x"], 3, "web01:./none is not there"],
    [["web01:tree", "HERE/x"], 7, "add -r"],
    [["web01:/dev/null", "HERE/x"], 7, "neither a file nor a folder"],
    [["HERE/file", "web01:/dev/null"], 7, "neither a file nor a folder"],
    [["HERE/file", "web01:none/x"], 3, "lies in no folder"],
    [["HERE/file", "HERE/tree", "-r", "web01:none"], 7, "only a folder can take this"],
    [["-r", "HERE/tree", "web01:file"], 7, "only a folder can take this"],
    [["-r", "web01:tree", "HERE/file"], 6, "a file is in its place here"],
    [["web01:file", "HERE/none/x"], 3, "is no folder"],
    [["HERE/file", "HERE/x"], 2, "neither side is on a host"],
    [["web01:a", "web02:b"], 2, "from here to a host"],
    [["HERE/file"], 2, "where to"],
  ])("%j fails with %i", async (words, code, says) => {
    const { cp } = await hostWith(programs);
    for (const root of [here, there]) {
      await mkdir(join(root, "tree"));
      await writeFile(join(root, "file"), "kept");
    }
    const done = await cp(...words.map((word) => word.replace("HERE", here)));
    expect(done.err).toContain(says);
    expect(done.code).toBe(code);
    for (const root of [here, there]) {
      expect((await readdir(root)).sort()).toEqual(["file", "tree"]);
      expect(await readFile(join(root, "file"), "utf8")).toBe("kept");
    }
  });
});

test("what is interrupted leaves neither half a file nor a trace, there and here", async () => {
  const { server } = await hostWith("gnu");
  await writeFile(join(here, "big"), "");
  await truncate(join(here, "big"), 8e9);
  await writeFile(join(there, "big"), "before");
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["cp", join(here, "big"), "web01:big"], terminal);
  await expect.poll(async () => (await readdir(there)).length).toBe(2);
  terminal.interrupt();
  expect(await running).toBe(130);
  await expect.poll(async () => await readdir(there)).toEqual(["big"]);
  expect(await readFile(join(there, "big"), "utf8")).toBe("before");
});

test("what may not be read, or is no file, is named, and the rest goes", async () => {
  const { cp } = await hostWith("gnu");
  await mkdir(join(here, "tree"));
  await writeFile(join(here, "tree", "good"), "good");
  execFileSync("mkfifo", [join(here, "tree", "pipe")]);
  const done = await cp("-r", join(here, "tree"), "web01:");
  expect(done.code).toBe(10);
  expect(done.err).toContain('/tree/pipe" is a device, pipe or socket');
  expect(await readdir(join(there, "tree"))).toEqual(["good"]);
  const back = await cp("-r", "web01:tree/.", join(here, "tree"));
  expect(back).toMatchObject({ code: 0 });
});

const PLAIN: Omit<NewEntry, "type" | "path"> = {
  ...{ mode: 0o6777, uid: 12, gid: 34, mtime: 0n, size: 0, link: latin1(""), major: 0, minor: 0, xattrs: [] },
};

function archive(
  ...entries: readonly (Pick<NewEntry, "type"> & { path: string; link?: string; text?: string })[]
): Buffer {
  const members = entries.flatMap(({ type, path, link = "", text = "" }) => [
    encodeEntry({ ...PLAIN, type, path: latin1(path), link: latin1(link), size: text.length }),
    Buffer.from(text),
    paddingOf(text.length),
  ]);
  return Buffer.concat([...members, END_MARK]);
}

/** A host that sends what it likes. */
async function hostile(bytes: Buffer, ...words: readonly string[]) {
  return await ending({ code: 0 }, bytes, ...words);
}

/** One whose program ends so. */
async function ending(exit: { code: number; reason?: string }, bytes: Buffer, ...words: readonly string[]) {
  const server = await start({
    shells: {
      openSession: async function* (requests) {
        const messages = requests[Symbol.asyncIterator]();
        await messages.next();
        yield { message: { case: "session", value: { id: "s1" } } };
        yield { message: { case: "output", value: bytes } };
        yield { message: { case: "errorOutput", value: Buffer.from("tar: ./log: file changed as we read it\n") } };
        yield { message: { case: "exit", value: exit } };
        await messages.next().catch(() => undefined);
      },
    },
  });
  return hpsctl(server, ["cp", ...words]);
}

test.each([
  [
    "climbs",
    [
      { type: "directory", path: "./" },
      { type: "file", path: "../stolen", text: "x" },
    ],
  ],
  [
    "is absolute",
    [
      { type: "directory", path: "./" },
      { type: "file", path: "/tmp/hps-stolen", text: "x" },
    ],
  ],
  [
    "goes through its own link",
    [
      { type: "directory", path: "./" },
      { type: "symlink", path: "out", link: ".." },
      { type: "file", path: "out/stolen", text: "x" },
    ],
  ],
  [
    "links to a file outside",
    [
      { type: "directory", path: "./" },
      { type: "hardlink", path: "a", link: "../kept" },
    ],
  ],
  [
    "takes a folder's place",
    [
      { type: "directory", path: "./" },
      { type: "file", path: "inner", text: "x" },
    ],
  ],
  [
    "is another folder",
    [
      { type: "directory", path: "other/" },
      { type: "file", path: "other/stolen", text: "x" },
    ],
  ],
] as const)("a host whose archive %s gets nothing written beside the copy", async (_what, entries) => {
  await mkdir(join(here, "dest", "etc", "inner"), { recursive: true });
  await writeFile(join(here, "dest", "etc", "inner", "precious"), "kept");
  await writeFile(join(here, "kept"), "kept");
  await symlink(here, join(here, "dest", "etc", "old-link"));
  const done = await hostile(archive(...entries), "-r", "web01:/etc", join(here, "dest"));
  expect(done.code).not.toBe(0);
  expect(await readdir(here)).toEqual(["dest", "kept"]);
  expect(await readdir(join(here, "dest"))).toEqual(["etc"]);
  expect(await readFile(join(here, "dest", "etc", "inner", "precious"), "utf8")).toBe("kept");
});

test("a folder that is here stays as it is, whatever the host says of it; with -p it becomes as it is there", async () => {
  const dest = join(here, "dest");
  await mkdir(join(dest, "etc", "inner"), { recursive: true });
  const places = [dest, join(dest, "etc"), join(dest, "etc", "inner")];
  const modes = async () =>
    await Promise.all(places.map(async (place) => ((await stat(place)).mode & 0o7777).toString(8)));
  for (const place of places) await chmod(place, 0o2700);
  await utimes(dest, 1_000_000_000, 1_000_000_000);
  const sent = archive(
    { type: "directory", path: "./" },
    { type: "directory", path: "./inner/" },
    { type: "directory", path: "./new/" },
    { type: "directory", path: "./new/" },
  );
  expect(await hostile(sent, "-r", "web01:/etc", dest)).toMatchObject({ code: 0 });
  expect(await modes()).toEqual(["2700", "2700", "2700"]);
  expect(((await stat(join(dest, "etc", "new"))).mode & 0o777).toString(8)).toBe("755");
  // What comes without a name of its own comes straight into the folder.
  expect(await hostile(sent, "-r", "web01:/etc/.", join(dest, "etc"))).toMatchObject({ code: 0 });
  expect(await hostile(archive({ type: "directory", path: "./" }), "-r", "web01:.", dest)).toMatchObject({ code: 0 });
  expect(await modes()).toEqual(["2700", "2700", "2700"]);
  expect((await stat(dest)).mtimeMs).toBe(1_000_000_000_000);
  expect(await hostile(sent, "-rp", "web01:/etc", dest)).toMatchObject({ code: 0 });
  expect(await modes()).toEqual(["2700", "777", "777"]);
});

test("of a folder that changed while it was read all stays, with its modes, and that is said", async () => {
  const folders = [
    { type: "directory", path: "./" },
    { type: "directory", path: "./inner/" },
    { type: "file", path: "./inner/log", text: "x" },
  ] as const;
  const mode = async (...names: readonly string[]) => ((await stat(join(here, ...names))).mode & 0o777).toString(8);
  const changed = await ending({ code: 1 }, archive(...folders), "-r", "web01:/var", here);
  expect(changed).toMatchObject({ code: 10, err: expect.stringContaining("file changed as we read it") });
  expect(changed.err).toContain("web01:/var is here, but the host's tar ended with 1");
  expect([await mode("var"), await mode("var", "inner")]).toEqual(["755", "755"]);
  const cut = archive(...folders).subarray(0, 1024);
  const broken = await ending({ code: 255, reason: "the host restarted" }, cut, "-r", "web01:/srv", here);
  expect(broken).toMatchObject({ code: 10, err: expect.stringContaining("was not copied whole: the host restarted") });
  expect(await mode("srv")).toBe("755");
  const one = archive({ type: "file", path: "./x", text: "1" });
  expect(await ending({ code: 1 }, one, "web01:x", join(here, "x"))).toMatchObject({ code: 10 });
  expect((await readdir(here)).sort()).toEqual(["srv", "var"]);
});

test("asked for one file, anything else is refused, and set-user bits and owners are not taken", async () => {
  const one = { type: "file", path: "./x", text: "1" } as const;
  for (const more of [
    [one, one],
    [{ type: "directory", path: "./" } as const],
    [{ type: "symlink", path: "./x", link: "/etc" } as const],
  ]) {
    expect((await hostile(archive(...more), "web01:x", join(here, "x"))).code).toBe(13);
    expect(await readdir(here)).toEqual([]);
  }
  expect(await hostile(archive(one), "-p", "web01:x", join(here, "x"))).toMatchObject({ code: 0 });
  const found = await stat(join(here, "x"));
  expect([(found.mode & 0o7777).toString(8), found.uid]).toEqual(["777", process.getuid?.()]);
  const cut = archive({ ...one, text: "long".repeat(1000) }).subarray(0, 2000);
  expect((await hostile(cut, "web01:x", join(here, "y"))).code).toBe(2);
  expect(await readdir(here)).toEqual(["x"]);
});
