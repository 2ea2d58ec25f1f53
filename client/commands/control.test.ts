/** The smaller groups: cluster, operator, cert, audit, session, status, whoami, context. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  AuditEventSchema,
  type ListAuditEventsRequest,
  ListAuditEventsRequestSchema,
} from "../../proto/gen/hps/v1/audit_pb.ts";
import {
  Admission,
  ClusterSchema,
  CreateClusterRequestSchema,
  UpdateClusterRequestSchema,
} from "../../proto/gen/hps/v1/cluster_pb.ts";
import { CertificateSchema, InviteOperatorRequestSchema, OperatorSchema } from "../../proto/gen/hps/v1/identity_pb.ts";
import { CreateSessionLinkRequestSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();
const TIME = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));

test("cluster: add, edit and rm send what was said and no more", async () => {
  const asked: unknown[] = [];
  const lab = create(ClusterSchema, { name: "lab", domain: "lab.example", admission: Admission.ARMED });
  const server = await start({
    clusters: {
      createCluster: async (request) => {
        asked.push(toJson(CreateClusterRequestSchema, request));
        return lab;
      },
      updateCluster: async (request) => {
        asked.push(toJson(UpdateClusterRequestSchema, request));
        return lab;
      },
      deleteCluster: async ({ name }) => {
        asked.push(name);
        return {};
      },
      listClusters: async () => ({ clusters: [lab] }),
      getCluster: async () => lab,
    },
  });
  expect((await hpsctl(server, "cluster add lab --domain lab.example --admission approve")).code).toBe(0);
  expect((await hpsctl(server, ["cluster", "edit", "lab", "--description", ""])).code).toBe(0);
  expect((await hpsctl(server, "cluster rm lab")).code).toBe(2);
  expect((await hpsctl(server, "cluster rm lab --yes")).code).toBe(0);
  expect(asked).toEqual([
    { cluster: { name: "lab", domain: "lab.example", admission: "ADMISSION_APPROVE" } },
    { cluster: { name: "lab" }, updateMask: "description" },
    "lab",
  ]);
  expect((await hpsctl(server, "cluster ls")).out).toBe(
    "NAME  DOMAIN       ADMISSION  DESCRIPTION\nlab   lab.example  armed      -\n",
  );
  expect((await hpsctl(server, "cluster get lab -o yaml")).out).toContain('admission: "ADMISSION_ARMED"');
});

test("operator invite prints the line to run, and that alone, on stdout", async () => {
  const asked: unknown[] = [];
  const server = await start({
    identity: {
      inviteOperator: async (request) => {
        asked.push(toJson(InviteOperatorRequestSchema, request));
        return { operator: { name: "bob" }, token: "hps1.secret.pin", expireTime: TIME };
      },
    },
  });
  const words = "operator invite bob --role lab=operator --role *=viewer --validity 2h";
  const { code, out, err } = await hpsctl(server, words);
  expect(code).toBe(0);
  expect(out).toBe("hpsctl login https://HPSD:7444 --token hps1.secret.pin\n");
  expect(err).toBe("bob logs in with this line, once, until 2026-11-20T09:30:00Z:\n");
  expect(asked).toEqual([
    {
      name: "bob",
      validity: "7200s",
      roles: [
        { cluster: "lab", role: "ROLE_OPERATOR" },
        { cluster: "*", role: "ROLE_VIEWER" },
      ],
    },
  ]);
  expect(JSON.parse((await hpsctl(server, `${words} -o json`)).out).token).toBe("hps1.secret.pin");
  expect((await hpsctl(server, "operator invite bob --role admin")).code).toBe(2);
  expect((await hpsctl(server, "operator invite bob --role lab=king")).err).toContain("one of viewer, operator, admin");
});

test("operator: ls, get, set-roles, rm", async () => {
  const done: string[] = [];
  const bob = create(OperatorSchema, { name: "bob", roles: [{ cluster: "lab", role: 2 }], createTime: TIME });
  const server = await start({
    identity: {
      listOperators: async () => ({ operators: [bob] }),
      getOperator: async ({ name }) => ({ ...bob, name }),
      setOperatorRoles: async ({ name, roles }) => ({ name, roles }),
      deleteOperator: async ({ name }) => {
        done.push(name);
        return {};
      },
    },
  });
  expect((await hpsctl(server, "operator ls")).out).toBe("NAME  ROLES\nbob   lab=operator\n");
  expect((await hpsctl(server, "operator get carol -o name")).out).toBe("carol\n");
  expect((await hpsctl(server, "operator set-roles bob --role *=admin")).out).toContain("ROLES:    *=admin");
  expect((await hpsctl(server, "operator rm bob")).code).toBe(2);
  expect((await hpsctl(server, "operator rm bob -y")).code).toBe(0);
  expect(done).toEqual(["bob"]);
});

test("cert: ls, revoke, rotation", async () => {
  const done: string[] = [];
  const certificate = create(CertificateSchema, {
    serial: "0a1b",
    identity: "spiffe://x/operator/bob",
    state: 1,
    notAfterTime: TIME,
  });
  const server = await start({
    identity: {
      listCertificates: async ({ validOnly, identity }) => {
        done.push(`ls ${validOnly} ${identity}`);
        return { certificates: [certificate, certificate] };
      },
      revokeCertificate: async ({ serial, reason }) => {
        done.push(`revoke ${serial} ${reason}`);
        return { ...certificate, state: 3 };
      },
      rotateServerCertificate: async () => certificate,
      prepareIntermediate: async () => ({ certificateRequest: "-----BEGIN\nx\x1b[2J\n" }),
      installIntermediate: async (request) => {
        done.push(request.certificate);
        return { serverCertificate: certificate };
      },
    },
  });
  expect((await hpsctl(server, "cert ls --valid --limit 1 -o name")).out).toBe("0a1b\n");
  expect((await hpsctl(server, "cert revoke 0A1B")).code).toBe(2);
  expect((await hpsctl(server, "cert revoke 0A1B --yes --reason lost")).out).toMatch(/STATE: +revoked/);
  expect((await hpsctl(server, "cert rotate-server")).code).toBe(0);
  expect((await hpsctl(server, "cert prepare-intermediate")).out).toBe("-----BEGIN\nx\\x1b[2J\n");
  const csr = join(server.folder, "new.csr");
  expect((await hpsctl(server, `cert prepare-intermediate --out ${csr}`)).out).toBe("");
  expect(await readFile(csr, "utf8")).toBe("-----BEGIN\nx\\x1b[2J\n");
  expect((await hpsctl(server, `cert prepare-intermediate --out ${csr}`)).code).toBe(2);
  const file = join(server.folder, "new.pem");
  await writeFile(file, "the certificate");
  expect((await hpsctl(server, `cert install-intermediate ${file}`)).code).toBe(0);
  expect((await hpsctl(server, "cert install-intermediate /nonexistent")).code).toBe(2);
  expect(done).toEqual(["ls true ", "revoke 0a1b lost", "the certificate"]);
});

const EVENTS = [3n, 2n, 1n].map((sequence) =>
  create(AuditEventSchema, {
    sequence,
    time: TIME,
    actor: "mac:52:54:00:00:00:01",
    action: "boot.script",
    outcome: sequence === 2n ? 2 : 1,
    reason: "\x1b[31mred",
    incident: `i${sequence}`,
  }),
);

test("audit: the filters are the server's, ls may be left out", async () => {
  const asked: ListAuditEventsRequest[] = [];
  const server = await start({
    audit: {
      listAuditEvents: async (request) => {
        asked.push(request);
        return { events: EVENTS };
      },
    },
  });
  const words =
    "--since 2026-11-20T09:00:00Z --until 2026-11-20T10:00:00Z --actor hpsd --target host:1 --incident i2 --refused";
  const { code, out } = await hpsctl(server, `audit ${words} --cluster lab --limit 2`);
  expect(code).toBe(0);
  expect(out.split("\n")).toHaveLength(4);
  expect(out).toContain("\\x1b[31mred");
  expect(asked.map((request) => toJson(ListAuditEventsRequestSchema, request))).toEqual([
    {
      cluster: "lab",
      pageSize: 200,
      startTime: "2026-11-20T09:00:00Z",
      endTime: "2026-11-20T10:00:00Z",
      actor: "hpsd",
      target: "host:1",
      incident: "i2",
      outcome: "AUDIT_OUTCOME_REFUSED",
    },
  ]);
  expect((await hpsctl(server, "audit ls --since yesterday")).code).toBe(2);
});

test("audit: a host is named as elsewhere, and asked for by its id", async () => {
  const targets: string[] = [];
  const server = await start({
    hosts: hostReaders([testHost(1)]),
    audit: {
      listAuditEvents: async ({ target }) => {
        targets.push(target);
        return { events: [] };
      },
    },
  });
  expect((await hpsctl(server, "audit --target web0001")).code).toBe(0);
  expect((await hpsctl(server, "audit --target web0002")).code).toBe(3);
  expect(targets).toEqual([`host:${testHost(1).id}`]);
});

test("audit --follow: the last events oldest first, then what comes and is wanted", async () => {
  const after: bigint[] = [];
  const server = await start({
    audit: {
      listAuditEvents: async () => ({ events: EVENTS }),
      watchAuditEvents: async function* ({ afterSequence }) {
        after.push(afterSequence);
        yield { sequence: 4n, time: TIME, actor: "hpsd", outcome: 1 };
        yield { sequence: 5n, time: TIME, actor: "hpsd", outcome: 2 };
        await new Promise(() => undefined);
      },
    },
  });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["audit", "-f", "--refused", "-o", "json"], terminal);
  await expect.poll(() => terminal.printed()).toContain('"sequence":"5"');
  terminal.interrupt();
  expect(await running).toBe(0);
  const printed = terminal
    .printed()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).sequence);
  expect(printed).toEqual(["1", "2", "3", "5"]);
  expect(after).toEqual([3n]);
});

test("status shows both versions, components and agents", async () => {
  const server = await start({
    system: {
      getStatus: async () => ({
        serverVersion: "0.9.0",
        startTime: TIME,
        components: [{ name: "dnsmasq", health: 3, reason: "exit 2" }],
        agentVersions: [{ version: "0.1.0", count: 12, unsupported: true }],
      }),
    },
  });
  const { out } = await hpsctl(server, "status");
  expect(out).toBe(
    [
      "HPSD:             0.9.0",
      "HPSCTL:           0.1.0 (not served)",
      "RUNNING SINCE:    2026-11-20T09:30:00Z",
      "AGENTS ATTACHED:  12 of 0.1.0 (not served)",
      "",
      "COMPONENT  HEALTH  REASON",
      "dnsmasq    failed  exit 2",
      "",
    ].join("\n"),
  );
});

test("whoami and sessions", async () => {
  const server = await start({
    shells: {
      listSessions: async () => ({ sessions: [{ id: "s1", host: "web01", command: ["ls", "-l"], startTime: TIME }] }),
      getSession: async ({ session }) => ({ id: session, endTime: TIME, exitCode: 3 }),
    },
  });
  expect((await hpsctl(server, "whoami -o name")).out).toBe("spiffe://example.org/operator/alice\n");
  expect((await hpsctl(server, "session ls --open")).out).toMatch(/s1 .* open +ls -l\n$/);
  expect((await hpsctl(server, "session get s7")).out).toMatch(/EXIT: +3\n/);
});

test("session link: the address alone is the output, what is said about it goes beside", async () => {
  const asked: unknown[] = [];
  const url = "https://hpsd.example:7444/web/#link=secret";
  const server = await start({
    shells: {
      createSessionLink: async (request) => {
        asked.push(toJson(CreateSessionLinkRequestSchema, request));
        return { id: "l1", url, expireTime: TIME };
      },
    },
  });
  const watch = await hpsctl(server, "session link web01");
  expect(watch).toMatchObject({ code: 0, out: `${url}\n` });
  expect(watch.err).toMatch(/shows a shell there in your name, once, until 2026-11-20T09:30:00Z/);
  const write = await hpsctl(server, "session link dc/web01 --write --validity 2m --reason look -o json");
  expect(JSON.parse(write.out)).toMatchObject({ id: "l1", url });
  expect(asked).toEqual([{ host: "lab/web01" }, { host: "dc/web01", write: true, validity: "120s", reason: "look" }]);
});

test("context: ls, use, rm; the chosen one by flag and environment", async () => {
  const server = await start({});
  const path = server.environment.HPSCONFIG ?? "";
  expect((await hpsctl(server, "context ls")).out).toMatch(
    /^CURRENT +NAME +SERVER +CLUSTER\n\* +test +localhost:\d+ +lab\n$/,
  );
  expect(JSON.parse((await hpsctl(server, "context ls -o json")).out)).toMatchObject([{ name: "test", current: true }]);
  expect((await hpsctl(server, "context use nope")).code).toBe(3);
  expect((await hpsctl(server, "context use test")).code).toBe(0);
  expect((await hpsctl(server, "context use test --cluster dc2")).err).toContain("cluster dc2");
  expect(JSON.parse((await hpsctl(server, "context ls -o json")).out)).toMatchObject([{ cluster: "dc2" }]);
  expect((await hpsctl(server, "whoami --context nope")).code).toBe(3);
  const elsewhere = { ...server.environment, HPS_CONTEXT: "nope" };
  expect((await hpsctl(server, "whoami", { environment: elsewhere })).err).toContain("(from HPS_CONTEXT)");
  expect((await hpsctl(server, "context rm test")).code).toBe(2);
  expect((await hpsctl(server, "context rm test --yes")).code).toBe(0);
  expect(await readFile(path, "utf8")).not.toContain("test");
});
