import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HpsError } from "../values/hps-error.ts";
import { parseObjectName } from "../values/object-name.ts";
import { ANY_CHARACTER } from "../values/testing/any-character.ts";
import * as client from "./client-config.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hps-client-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TWO = `currentContext: lab
contexts:
  - name: lab
    server: hpsd.example.org:7443
    ca: /c/ca.pem
    certificate: /c/007
    key: /c/key.pem
  - {name: prod, server: "[::1]:7443", https: https://h:1, ca: /a, certificate: /b, key: /c, cluster: east}
`;
const two = client.parseClientConfig(TWO, "config.yaml");

test("contexts come back as they were written, whatever the paths are", () => {
  const path = fc.string({ unit: ANY_CHARACTER }).filter((text) => text.isWellFormed() && !text.includes("\0"));
  expect(client.parseClientConfig(client.formatClientConfig(two), "f")).toEqual(two);
  fc.assert(
    fc.property(
      path,
      fc.constantFrom("null", "~", "007", "1.10", "yes", "- a", "#", "*x", "\u0085"),
      (tail, awkward) => {
        const [first] = two.contexts;
        if (first === undefined) throw new Error("no context");
        const config = client.parseClientConfig(
          `contexts: [${JSON.stringify({ ...first, ca: `/${tail}`, key: `/${awkward}` })}]`,
          "f",
        );
        expect(config.contexts[0]).toMatchObject({ ca: `/${tail}`, key: `/${awkward}` });
        expect(client.parseClientConfig(client.formatClientConfig(config), "f")).toEqual(config);
      },
    ),
  );
});

test("flag, variable and file choose the context, in this order", () => {
  const choose = (flag?: string, variable?: string) => client.selectContext(two, flag, { HPS_CONTEXT: variable }).name;
  expect([choose(), choose(undefined, "prod"), choose("lab", "prod"), choose(undefined, "")]).toEqual([
    "lab",
    "prod",
    "lab",
    "lab",
  ]);
  expect(() => choose(undefined, "x\x1b")).toThrow('no context "x\\x1b" (from HPS_CONTEXT)');
  expect(() => choose("x")).toThrow(/^no context "x"$/);
  expect(() => client.selectContext({ contexts: [] }, undefined, {})).toThrow(/no context is chosen/);
});

test("a context is added, replaced and removed", () => {
  const lab = client.selectContext(two, "lab", {});
  const changed = client.withContext(two, { ...lab, cluster: parseObjectName("west") });
  expect(changed.contexts).toHaveLength(2);
  expect(client.selectContext(changed, "lab", {}).cluster).toBe("west");
  const less = client.withoutContext(changed, lab.name);
  expect(less.contexts.map(({ name }) => name)).toEqual(["prod"]);
  expect(less.currentContext).toBeUndefined();
  expect(client.withoutContext(two, parseObjectName("prod")).currentContext).toBe("lab");
  expect(() => client.withoutContext(less, lab.name)).toThrow(/no context lab/);
});

test("the file's place", () => {
  expect(client.clientConfigPath({ HPSCONFIG: "x.yaml", HOME: "/h" })).toBe("x.yaml");
  expect(client.clientConfigPath({ XDG_CONFIG_HOME: "/x", HOME: "/h" })).toBe("/x/hps/config.yaml");
  expect(client.clientConfigPath({ XDG_CONFIG_HOME: "rel", HOME: "/h" })).toBe("/h/.config/hps/config.yaml");
  expect(() => client.clientConfigPath({})).toThrow(/no home folder/);
});

test("the file is written whole and for its owner alone, through a link too", async () => {
  const path = join(folder, "new/dir/config.yaml");
  expect(await client.readClientConfig(path)).toEqual({ contexts: [] });
  await client.writeClientConfig(path, two);
  expect(await client.readClientConfig(path)).toEqual(two);
  await chmod(path, 0o644);
  const link = join(folder, "link.yaml");
  await symlink(path, link);
  await client.writeClientConfig(link, { contexts: [] });
  expect(await readFile(path, "utf8")).not.toContain("lab");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "new/dir"))).toEqual(["config.yaml"]);
});

test("a write that fails leaves the old file and nothing beside it", async () => {
  const path = join(folder, "busy");
  await mkdir(join(path, "inside"), { recursive: true });
  await expect(client.writeClientConfig(path, two)).rejects.toThrow(/cannot write .*busy": E/);
  expect(await readdir(path)).toEqual(["inside"]);
  expect((await readdir(folder)).filter((name) => name.startsWith("busy."))).toEqual([]);
});

test("what cannot be a contexts file is named", async () => {
  await expect(client.readClientConfig(folder)).rejects.toThrow(/not a file/);
  const path = join(folder, "latin1");
  await writeFile(path, Buffer.from([0xff]));
  await expect(client.readClientConfig(path)).rejects.toThrow(/not UTF-8/);
  await expect(client.readClientConfig(join(path, "x"))).rejects.toThrow(/ENOTDIR/);
  const twice = TWO.replace("name: prod", "name: lab");
  expect(() => client.parseClientConfig(twice, "f")).toThrow("f:8:6: `contexts.1.name`: lab is there twice");
  expect(() => client.parseClientConfig("contexts: [{name: A}]", "f")).toThrow(/not a context name/);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: ANY_CHARACTER }), fc.json()), (text) => {
      try {
        client.parseClientConfig(text, "f");
      } catch (error) {
        expect(error).toBeInstanceOf(HpsError);
      }
    }),
  );
});
