import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { InstallationSchema } from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();

const HOSTILE = "\x1b]0;owned\x07\u009b2J\u202eevil\r\nroot#";

test("ls prints a table whose columns scripts can rely on", async () => {
  const server = await start({
    hosts: hostReaders([testHost(1, { state: 9, attached: true, addresses: ["192.0.2.1"] }), testHost(22)]),
  });
  const { code, out, err } = await hpsctl(server, "host ls");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toBe(
    [
      "CLUSTER  NAME     STATE       ATTACHED  MACS               ADDRESSES",
      "lab      web0001  installed   yes       52:54:00:00:00:01  192.0.2.1",
      "lab      web0022  registered  no        52:54:00:00:00:22  -",
      "",
    ].join("\n"),
  );
  expect(server.versions[0]).toBe("0.1.0");
});

test("ls reads all pages", async () => {
  const hosts = Array.from({ length: 1000 }, (_, index) => testHost(index));
  const server = await start({ hosts: hostReaders(hosts) });
  const { code, out } = await hpsctl(server, "host ls -o name");
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toEqual(hosts.map(({ name }) => `lab/${name}`));
});

test.each([false, true])("hostile text reaches no terminal raw (tty: %s)", async (tty) => {
  const hosts = [testHost(1, { profile: HOSTILE, tags: { rack: HOSTILE } })];
  const server = await start({ hosts: hostReaders(hosts) });
  for (const format of ["table", "wide", "json", "yaml", "name"]) {
    for (const words of [`host ls -o ${format}`, `host get web0001 -o ${format}`]) {
      const environment = { ...server.environment, NO_COLOR: "1" };
      const { out, err } = await hpsctl(server, words, { tty, environment });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
      expect(out + err, words).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    }
  }
});

test("JSON and YAML give every value back exactly", async () => {
  const tags = { rack: "007", version: "1.10", empty: "", word: "null", text: `"'${HOSTILE}` };
  const server = await start({ hosts: hostReaders([testHost(1, { tags })]) });
  const json = await hpsctl(server, "host get web0001 -o json");
  expect(JSON.parse(json.out).tags).toEqual(tags);
  const yaml = await hpsctl(server, "host ls -o yaml");
  const { parse } = await import("yaml");
  expect(parse(yaml.out)[0].tags).toEqual(tags);
});

test("a hostile error is shown safely, with hint, incident and the exit code of its kind", async () => {
  const refuse = async () => {
    throw new HpsError("denied", `no ${HOSTILE}`, { hint: `ask ${HOSTILE}`, details: { incident: "abcd1234" } });
  };
  const server = await start({ hosts: { listHosts: refuse } });
  const { code, out, err } = await hpsctl(server, "host ls");
  expect({ code, out }).toEqual({ code: 4, out: "" });
  expect(err).toContain("error: no \\x1b]0;owned");
  expect(err).toContain("\nhint: ask ");
  expect(err).toContain("\nincident: abcd1234\n");
  expect(err.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});

test("a host set is acted on host by host: what worked is printed, the rest and a summary told, the worst code kept", async () => {
  const asked: string[] = [];
  const armHost = async ({ host }: { host: string }) => {
    asked.push(host);
    if (host === "lab/web02") throw new HpsError("precondition", "it is armed");
    if (host === "lab/web03") throw new HpsError("not-found", `no host ${host}`);
    return create(InstallationSchema, { id: `of-${host}`, host, state: 1 });
  };
  const server = await start({ hosts: { armHost } });
  const { code, out, err } = await hpsctl(server, "host arm web[01-03] prod/db1 --window 30m -o name");
  expect(asked.toSorted()).toEqual(["lab/web01", "lab/web02", "lab/web03", "prod/db1"]);
  expect(out).toBe("of-lab/web01\nof-prod/db1\n");
  expect(err).toContain("error: lab/web02: it is armed\n");
  expect(err).toContain("2 done, 2 failed\n");
  expect(code).toBe(7);
});

test("a tag chooses hosts by its exact value", async () => {
  const hosts = [testHost(1, { tags: { rack: "r1" } }), testHost(2, { tags: { rack: "r10" } }), testHost(3)];
  const server = await start({ hosts: hostReaders(hosts) });
  expect((await hpsctl(server, "host get @rack=r1 -o name")).out).toBe("lab/web0001\n");
  expect((await hpsctl(server, "host get @rack -o name")).out).toBe("lab/web0001\nlab/web0002\n");
  expect((await hpsctl(server, "host ls -l rack=r10 -o name")).out).toBe("lab/web0002\n");
  expect((await hpsctl(server, "host get @rack=r3")).code).toBe(3);
});

test("rm asks on a terminal, and refuses without one unless told --yes", async () => {
  const removed: string[] = [];
  const deleteHost = async ({ host }: { host: string }) => {
    removed.push(host);
    return {};
  };
  const server = await start({ hosts: { deleteHost } });
  const refused = await hpsctl(server, "host rm web01");
  expect(refused.code).toBe(2);
  expect(refused.err).toContain("hint: add --yes to do it without being asked");
  const no = await hpsctl(server, "host rm web01", { tty: true, input: "n\n" });
  expect(no.code).toBe(130);
  expect(removed).toEqual([]);
  expect((await hpsctl(server, "host rm web01", { tty: true, input: "y\n" })).code).toBe(0);
  expect((await hpsctl(server, "host rm web02 -y")).code).toBe(0);
  expect(removed).toEqual(["lab/web01", "lab/web02"]);
});

test("a question that gets no answer, or an interrupt, does nothing", async () => {
  const server = await start({});
  expect((await hpsctl(server, "host rm web01", { tty: true, input: "" })).code).toBe(130);
  const terminal = fakeTerminal({ environment: server.environment, tty: true });
  const running = run(["host", "rm", "web01"], terminal);
  await expect.poll(() => terminal.errors()).toContain("remove lab/web01? [y/N] ");
  terminal.interrupt();
  expect(await running).toBe(130);
});

test("ls is of the chosen cluster, or of all when told so", async () => {
  const asked: string[] = [];
  const listHosts = async ({ cluster }: { cluster: string }) => {
    asked.push(cluster);
    return {};
  };
  const server = await start({ hosts: { listHosts } });
  const environment = { ...server.environment, HPS_CLUSTER: "prod" };
  await hpsctl(server, "host ls");
  await hpsctl(server, "host ls", { environment });
  await hpsctl(server, "host ls --cluster stage", { environment });
  await hpsctl(server, "host ls -A", { environment });
  expect(asked).toEqual(["lab", "prod", "stage", ""]);
});

test("edit sends only what was given, and tags on top of those the host has", async () => {
  const seen: unknown[] = [];
  const hosts = hostReaders([testHost(1, { tags: { rack: "r1", old: "x" } })]);
  const server = await start({
    hosts: {
      ...hosts,
      updateHost: async ({ host, updateMask }) => {
        seen.push({ id: host?.id, etag: host?.etag, tags: host?.tags, paths: updateMask?.paths });
        return testHost(1);
      },
    },
  });
  expect((await hpsctl(server, "host edit web0001 --tag role=a=b --remove-tag old")).code).toBe(0);
  expect(seen).toEqual([{ id: testHost(1).id, etag: '"1"', tags: { rack: "r1", role: "a=b" }, paths: ["tags"] }]);
  expect((await hpsctl(server, "host edit web0001")).code).toBe(2);
});

test("--watch prints what changes and what goes, until interrupted", async () => {
  let hosts = [testHost(1), testHost(2)];
  const changed = Promise.withResolvers<void>();
  const server = await start({
    hosts: {
      listHosts: async () => ({ hosts }),
      watchHosts: async function* (_request, { signal }) {
        yield { sequence: 1n };
        await changed.promise;
        yield { sequence: 2n };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    },
  });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["host", "ls", "--watch"], terminal);
  await expect.poll(() => terminal.printed()).toContain("web0002");
  hosts = [testHost(1, { state: 2 })];
  changed.resolve();
  await expect.poll(() => terminal.printed(), { timeout: 5000 }).toContain("armed");
  await expect.poll(() => terminal.errors()).toContain("host lab/web0002 is gone");
  terminal.interrupt();
  expect(await running).toBe(0);
  expect(terminal.printed().match(/CLUSTER/g)).toHaveLength(1);
});

test("a server that does not serve this version is told of once, on stderr", async () => {
  const server = await start({ hosts: hostReaders([]) }, "9.0.0");
  const { code, err } = await hpsctl(server, "host ls");
  expect(code).toBe(0);
  expect(err).toBe("warning: hpsd is 9.0.0, this hpsctl is 0.1.0: update hpsctl\n");
  const refusal = await hpsctl(server, "host get web99");
  expect(refusal.err).toBe("error: no host lab/web99\n");
});

test("colour only on a terminal, and never with NO_COLOR", async () => {
  const server = await start({ hosts: hostReaders([testHost(1, { state: 9 })]) });
  expect((await hpsctl(server, "host ls")).out).not.toContain("\x1b");
  expect((await hpsctl(server, "host ls", { tty: true })).out).toContain("\x1b[32minstalled\x1b[0m");
  const environment = { ...server.environment, NO_COLOR: "1" };
  expect((await hpsctl(server, "host ls", { tty: true, environment })).out).not.toContain("\x1b");
});

test("without a server the error names the address, exit code 8", async () => {
  const server = await start({});
  await server.rpc.stop(100);
  const { code, err } = await hpsctl(server, "host ls");
  expect(code).toBe(8);
  expect(err).toContain(`error: cannot reach localhost:${server.port}: connection refused`);
});
