import { join } from "node:path";
import { expect, test } from "vitest";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { makePeer } from "../../certs/test-chain.ts";
import { SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import { RpcServer } from "../../proto/rpc/rpc-server.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";
import { connect, connectTo } from "./connect.ts";
import { readProfile } from "./profile.ts";

const start = useServers();

test("the ten lines: list hosts, arm one, follow it to its end", async () => {
  const said: string[] = [];
  const server = await start({
    hosts: { ...hostReaders([testHost(1)]), armHost: async ({ host }) => ({ id: `of ${host}` }) },
    installations: {
      watchInstallation: async function* ({ installation }) {
        yield { installation: { id: installation, state: 3 } };
        yield { installation: { id: installation, state: 8 } };
      },
    },
  });
  using hps = await connect({ environment: server.environment });
  for await (const host of hps.listHosts({ cluster: "lab" })) said.push(host.name);
  const { id } = await hps.hosts.armHost({ host: "lab/web0001", window: { seconds: 3600n } });
  for await (const { installation } of hps.watchInstallation(id)) said.push(`${id} ${installation?.state}`);
  expect(said).toEqual(["web0001", "of lab/web0001 3", "of lab/web0001 8"]);
});

test("a server named outright", async () => {
  const server = await start({ hosts: hostReaders([testHost(1)]) });
  const path = (name: string) => join(server.folder, name);
  using hps = await connect({
    server: `localhost:${server.port}`,
    ca: path("ca.pem"),
    cert: path("cert.pem"),
    key: path("key.pem"),
  });
  expect((await hps.hosts.getHost({ host: "lab/web0001" })).name).toBe("web0001");
  const missing = connect({
    server: "localhost:1",
    ca: path("none.pem"),
    cert: path("cert.pem"),
    key: path("key.pem"),
  });
  await expect(missing).rejects.toThrow("none.pem does not exist");
});

test("a server is refused when its certificate is for another name, or for another domain than our root's", async () => {
  const home = await start({});
  const rpc = new RpcServer<string>({ authorize: async () => "x", onError: () => undefined });
  rpc.add(SystemService, { getStatus: async () => ({}) });
  const server = await makePeer(
    home.chain,
    { kind: "server", name: "hpsd" },
    { dnsNames: ["other.example"], ipAddresses: [] },
  );
  const { key, cert } = tlsKeyPair({ ...server, intermediates: [home.chain.intermediate.certificate] });
  const port = await rpc.listen({ host: "127.0.0.1", port: 0, certificate: { key, chain: cert } });
  using hps = await connect({ environment: home.environment, server: `localhost:${port}` });
  const failure = await hps.system.getStatus({}).catch((error: unknown) => error);
  await rpc.stop(100);
  expect(failure).toBeInstanceOf(HpsError);
  expect(String(failure)).toContain(`cannot reach localhost:${port}: its certificate is for another name`);
  const profile = await readProfile({ environment: home.environment });
  using elsewhere = connectTo({ ...profile, trustDomain: "elsewhere.example" });
  await expect(elsewhere.identity.whoAmI({})).rejects.toThrow("is a server of example.org, not of elsewhere.example");
});

test("a watch gives up at once when the server was never there, and when it refuses", async () => {
  const server = await start({
    hosts: {
      // biome-ignore lint/correctness/useYield: refused before anything
      watchHosts: async function* () {
        throw new HpsError("denied", "not for you");
      },
    },
  });
  using hps = await connect({ environment: server.environment });
  await expect(Array.fromAsync(hps.watchHosts("lab"))).rejects.toMatchObject({ code: "denied" });
  using nowhere = await connect({ environment: server.environment, server: "localhost:1" });
  await expect(Array.fromAsync(nowhere.watchHosts("lab"))).rejects.toMatchObject({ code: "unavailable" });
});

test("a watch goes on after a loss from the last event it had, until its patience ends", async () => {
  const asked: bigint[] = [];
  const server = await start({
    hosts: {
      watchHosts: async function* ({ afterSequence }) {
        asked.push(afterSequence);
        if (afterSequence < 3n) yield { sequence: afterSequence + 1n, hostId: `h${afterSequence}` };
        throw new HpsError("unavailable", "server is stopping");
      },
    },
  });
  using hps = await connect({ environment: server.environment });
  const seen: string[] = [];
  const watch = async () => {
    for await (const { hostId } of hps.watchHosts("", { patienceMs: 100 })) seen.push(hostId);
  };
  await expect(watch()).rejects.toMatchObject({ code: "unavailable" });
  expect(seen).toEqual(["h0", "h1", "h2"]);
  expect(asked.slice(0, 4)).toEqual([0n, 1n, 2n, 3n]);
});

test("a server that gives one page for ever is cut off", async () => {
  const server = await start({ hosts: { listHosts: async () => ({ hosts: [testHost(1)], nextPageToken: "again" }) } });
  using hps = await connect({ environment: server.environment });
  await expect(Array.fromAsync(hps.listHosts())).rejects.toMatchObject({ code: "data-loss" });
});
