import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { ArmHostRequest, Host } from "../../proto/gen/hps/v1/host_pb.ts";
import { InstallationSchema, InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { testHost } from "../testing/test-server.ts";

const start = useServers();
const MAC = "52:54:00:12:34:56";

async function rig(options: { readonly contacts?: "denied"; readonly arm?: HpsError } = {}) {
  const created: Host[] = [];
  const armed: ArmHostRequest[] = [];
  const server = await start({
    hosts: {
      listContacts: async () => {
        if (options.contacts === "denied") throw new HpsError("denied", "not for you");
        return { contacts: [{ mac: MAC }], nextPageToken: "" };
      },
      createHost: async ({ host }) => {
        if (host !== undefined) created.push(host);
        return testHost(1, { name: "web01" });
      },
      armHost: async (request) => {
        armed.push(request);
        if (options.arm !== undefined) throw options.arm;
        return create(InstallationSchema, { host: "web01", cluster: "lab", state: InstallationState.ARMED });
      },
    },
  });
  return { server, created, armed };
}

test("an unknown machine that asked becomes a host, and is armed with an image", async () => {
  const { server, created, armed } = await rig();
  const words =
    "host approve 52-54-00-12-34-56 --name web01 --address 192.0.2.7 --network static --image a:1 --window 2h";
  const { code } = await hpsctl(server, words);
  expect(code).toBe(0);
  const network = NetworkMode.STATIC;
  expect(created).toMatchObject([{ cluster: "lab", name: "web01", macs: [MAC], addresses: ["192.0.2.7"], network }]);
  expect(armed).toMatchObject([{ host: testHost(1).id, image: "a:1", window: { seconds: 7200n } }]);
});

test("without --arm and --image it is only added, in the cluster that is named", async () => {
  const { server, created, armed } = await rig();
  const { code, err } = await hpsctl(server, `host approve ${MAC} --name web01 --cluster other`);
  expect({ code, armed }).toEqual({ code: 0, armed: [] });
  expect(created).toMatchObject([{ cluster: "other" }]);
  expect(err).toContain("install it: hpsctl install lab/web01 --image NAME:TAG\n");
});

test("a machine that never asked is refused; who may not read the contacts is not", async () => {
  const { server, created } = await rig();
  const { code, err } = await hpsctl(server, "host approve 52:54:00:00:00:01 --name web01");
  expect({ code, created }).toEqual({ code: 3, created: [] });
  expect(err).toContain("hpsctl host contacts");
  const cluster = await rig({ contacts: "denied" });
  expect((await hpsctl(cluster.server, `host approve ${MAC} --name web01`)).code).toBe(0);
});

test("a host that could be added but not armed is said to be there", async () => {
  const { server } = await rig({
    arm: new HpsError("not-found", "cluster lab has no image a:1", { hint: "image ls" }),
  });
  const { code, err } = await hpsctl(server, `host approve ${MAC} --name web01 --image a:1`);
  expect(code).toBe(3);
  expect(err).toBe("error: lab/web01 was added, but is not armed: cluster lab has no image a:1\nhint: image ls\n");
});

test.each([
  [`host approve ${MAC}`, "has no name yet"],
  [`host approve ${MAC} --name web01 --fingerprint x`, "has no name yet"],
  ["host approve web01", "the fingerprint is missing"],
  ["host approve web01 --fingerprint x --image a:1", "--image is for a machine that is not known yet"],
])("%s is refused: %s", async (words, message) => {
  const { server } = await rig();
  const { code, err } = await hpsctl(server, words);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
