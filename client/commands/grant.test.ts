/** `hpsctl grant`, the terms of shells in `hpsctl cluster`, and approvals. */
import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  Admission,
  ClusterSchema,
  ShellAccess,
  UpdateClusterRequestSchema,
} from "../../proto/gen/hps/v1/cluster_pb.ts";
import { CreateGrantRequestSchema, type Grant, GrantSchema, ShellPermission } from "../../proto/gen/hps/v1/grant_pb.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";

const start = useServers();
const TIME = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));
const BOB: Grant = create(GrantSchema, {
  ...{ id: "g1", cluster: "lab", permission: ShellPermission.ENTER, expireTime: TIME },
  grantee: { case: "operator", value: "bob" },
  hosts: { case: "host", value: "web01" },
});
const VIEWERS: Grant = create(GrantSchema, {
  ...{ id: "g2", cluster: "lab", permission: ShellPermission.WATCH },
  grantee: { case: "role", value: 1 },
  hosts: { case: "tags", value: { tags: { rack: "r1", env: "dev" } } },
});

test("grant add sends what was said; ls and rm", async () => {
  const asked: unknown[] = [];
  const ends: number[] = [];
  const removed: string[] = [];
  const server = await start({
    grants: {
      createGrant: async (request) => {
        const { expireTime } = request.grant ?? {};
        if (expireTime !== undefined) ends.push(timestampMs(expireTime) - Date.now());
        if (request.grant !== undefined) delete request.grant.expireTime;
        asked.push(toJson(CreateGrantRequestSchema, request));
        return BOB;
      },
      listGrants: async () => ({ grants: [VIEWERS, BOB] }),
      deleteGrant: async ({ grant }) => {
        removed.push(grant);
        return {};
      },
    },
  });
  const added = await hpsctl(server, "grant add --operator bob --host web01 --can enter --for 8h --reason disk");
  expect(added.code).toBe(0);
  expect(Math.round((ends[0] ?? 0) / 3_600_000)).toBe(8);
  expect((await hpsctl(server, "grant add --role viewer --tag rack=r1 --tag env=dev --can watch")).code).toBe(0);
  expect((await hpsctl(server, "grant add --role admin --all-hosts --can enter --cluster dc2")).code).toBe(0);
  expect((await hpsctl(server, "grant add --role admin --host dc3/web01 --can enter")).code).toBe(0);
  expect(asked).toEqual([
    {
      grant: { cluster: "lab", operator: "bob", host: "web01", permission: "SHELL_PERMISSION_ENTER", reason: "disk" },
    },
    {
      grant: {
        ...{ cluster: "lab", role: "ROLE_VIEWER", permission: "SHELL_PERMISSION_WATCH" },
        tags: { tags: { rack: "r1", env: "dev" } },
      },
    },
    { grant: { cluster: "dc2", role: "ROLE_ADMIN", allHosts: true, permission: "SHELL_PERMISSION_ENTER" } },
    { grant: { cluster: "dc3", role: "ROLE_ADMIN", host: "web01", permission: "SHELL_PERMISSION_ENTER" } },
  ]);
  expect((await hpsctl(server, "grant ls")).out).toBe(
    "ID  CLUSTER  TO            CAN    HOSTS             UNTIL\n" +
      "g2  lab      role viewer   watch  @env=dev,rack=r1  removed\n" +
      "g1  lab      operator bob  enter  web01             2026-11-20T09:30:00Z\n",
  );
  expect((await hpsctl(server, "grant rm g1 g2")).code).toBe(0);
  expect(removed).toEqual(["g1", "g2"]);
});

test.each([
  ["nobody", "--host web01 --can enter", /just one of --operator or --role/],
  ["two", "--operator bob --role viewer --host web01 --can enter", /just one of --operator or --role/],
  ["no hosts", "--operator bob --can enter", /just one of --host, --tag or --all-hosts/],
  ["two kinds of hosts", "--operator bob --all-hosts --tag a=b --can enter", /just one of --host/],
  ["nothing they can", "--operator bob --host web01", /--can/],
])("a grant to %s is refused before anything is sent", async (_what, words, message) => {
  const server = await start({});
  const { code, err } = await hpsctl(server, `grant add ${words}`);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test("cluster edit changes the terms of shells one by one and mirrors all at once, and get shows them", async () => {
  const asked: unknown[] = [];
  const lab = create(ClusterSchema, {
    ...{ name: "lab", domain: "lab.example", admission: Admission.ARMED },
    shellPolicy: {
      ...{ access: ShellAccess.GRANT, reasonRequired: true, approvalRequired: true, recordInput: true },
      ...{ timeLimit: { seconds: 28_800n }, idleLimit: { seconds: 1800n }, strictRecording: true },
    },
  });
  const server = await start({
    clusters: {
      updateCluster: async (request) => {
        asked.push(toJson(UpdateClusterRequestSchema, request));
        return lab;
      },
      getCluster: async () => lab,
    },
  });
  const all =
    "--shell-access grant --shell-reason required --shell-approval none --shell-time-limit 8h --shell-idle-limit none " +
    "--shell-input recorded --shell-recording strict";
  expect((await hpsctl(server, `cluster edit lab ${all}`)).code).toBe(0);
  expect((await hpsctl(server, "cluster edit lab --domain b.example --shell-reason optional")).code).toBe(0);
  const mirrors = "--image-mirror https://one.example/hps/ --image-mirror http://two.example";
  expect((await hpsctl(server, `cluster edit lab ${mirrors}`)).code).toBe(0);
  expect((await hpsctl(server, "cluster edit lab --image-mirror none")).code).toBe(0);
  expect((await hpsctl(server, "cluster edit lab --image-keep 5")).code).toBe(0);
  expect((await hpsctl(server, "cluster edit lab --image-keep none")).code).toBe(0);
  expect((await hpsctl(server, "cluster edit lab --image-keep 0")).code).toBe(2);
  const wrong = await hpsctl(server, "cluster edit lab --image-mirror https://u:p@x/");
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("not an http or https address")]);
  expect(asked).toEqual([
    {
      cluster: {
        name: "lab",
        shellPolicy: {
          ...{ access: "SHELL_ACCESS_GRANT", reasonRequired: true, timeLimit: "28800s", idleLimit: "0s" },
          ...{ recordInput: true, strictRecording: true },
        },
      },
      updateMask:
        "shellPolicy.access,shellPolicy.reasonRequired,shellPolicy.approvalRequired,shellPolicy.timeLimit," +
        "shellPolicy.idleLimit,shellPolicy.recordInput,shellPolicy.strictRecording",
    },
    {
      cluster: { name: "lab", domain: "b.example", shellPolicy: {} },
      updateMask: "domain,shellPolicy.reasonRequired",
    },
    {
      cluster: { name: "lab", imageMirrors: ["https://one.example/hps", "http://two.example"] },
      updateMask: "imageMirrors",
    },
    { cluster: { name: "lab" }, updateMask: "imageMirrors" },
    { cluster: { name: "lab", imageKeep: 5 }, updateMask: "imageKeep" },
    { cluster: { name: "lab" }, updateMask: "imageKeep" },
  ]);
  expect((await hpsctl(server, "cluster get lab")).out).toContain(
    "grant, reason, approval, 8h, idle 30m, input recorded, strict",
  );
});

test("session approve and deny send another operator's word, and say whose session it was", async () => {
  const asked: unknown[] = [];
  const server = await start({
    shells: {
      approveSession: async ({ session, deny, reason }) => {
        asked.push({ session, deny, reason });
        return { id: session, operator: "bob", host: "web01" };
      },
    },
  });
  const approved = await hpsctl(server, "session approve s1");
  expect([approved.code, approved.err]).toEqual([0, "bob's session on web01 is approved\n"]);
  const denied = await hpsctl(server, ["session", "deny", "s2", "--reason", "not tonight"]);
  expect([denied.code, denied.err]).toEqual([0, "bob's session on web01 is denied\n"]);
  expect(asked).toEqual([
    { session: "s1", deny: false, reason: "" },
    { session: "s2", deny: true, reason: "not tonight" },
  ]);
});
