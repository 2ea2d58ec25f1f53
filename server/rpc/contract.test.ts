import { create, type DescMethod, type MessageInitShape, setExtension } from "@bufbuild/protobuf";
import { MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { AccessSchema, access, PeerKind, Resource, Role, Scope } from "../../proto/gen/hps/v1/access_pb.ts";
import { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import { AuditService } from "../../proto/gen/hps/v1/audit_pb.ts";
import { ClusterService } from "../../proto/gen/hps/v1/cluster_pb.ts";
import { HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { IdentityService } from "../../proto/gen/hps/v1/identity_pb.ts";
import { InstallationService } from "../../proto/gen/hps/v1/installation_pb.ts";
import { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { SystemService } from "../../proto/gen/hps/v1/system_pb.ts";
import { EchoService } from "../../proto/gen/rpc/testing/echo_pb.ts";
import { checkContract, ruleOf } from "./contract.ts";

const OURS = [
  AgentService,
  AuditService,
  ClusterService,
  HostService,
  IdentityService,
  InstallationService,
  ShellService,
  SystemService,
];

const methodsOf = (services: readonly { readonly methods: readonly DescMethod[] }[]) =>
  services.flatMap(({ methods }) => methods);

/** A method of ours with another access option. */
function withAccess(method: DescMethod, option: MessageInitShape<typeof AccessSchema>): DescMethod {
  const options = create(MethodOptionsSchema);
  setExtension(options, access, create(AccessSchema, option));
  return { ...method, proto: { ...method.proto, options } };
}

const good = {
  kinds: [PeerKind.OPERATOR],
  role: Role.VIEWER,
  scope: Scope.CLUSTER,
  target: "start.host",
  resource: Resource.HOST,
};

test("every method of this release has a rule", () => {
  const methods = methodsOf([...OURS, Health, ServerReflection]);
  expect(methods.length).toBeGreaterThan(40);
  expect(() => checkContract(methods)).not.toThrow();
  expect(() => checkContract([withAccess(ShellService.method.openSession, good)])).not.toThrow();
});

test("hpsd does not start with a method that has no option", () => {
  expect(() => checkContract(methodsOf([...OURS, EchoService]))).toThrow(
    /Echo.* has no access option; hpsd does not start/,
  );
});

const BROKEN: readonly [string, MessageInitShape<typeof AccessSchema>, RegExp][] = [
  ["nobody", { ...good, kinds: [] }, /lets in no kind/],
  ["an unknown kind", { ...good, kinds: [PeerKind.UNSPECIFIED] }, /unknown kind/],
  ["no role for operators", { ...good, role: Role.UNSPECIFIED }, /name a role just for operators/],
  ["a role for hosts", { ...good, kinds: [PeerKind.HOST] }, /name a role just for operators/],
  ["no scope", { ...good, scope: Scope.UNSPECIFIED }, /has no scope/],
  ["a target of no kind", { ...good, resource: Resource.UNSPECIFIED }, /target and its resource/],
  ["a resource without a target", { ...good, target: "" }, /target and its resource/],
  ["a target that is not there", { ...good, target: "start.hots" }, /has no field start.hots/],
  ["a target through text", { ...good, target: "start.host.id" }, /has no field start.host.id/],
  ["a target that is a message", { ...good, target: "start" }, /not text/],
];

test.each(BROKEN)("hpsd does not start with a rule that has %s", (_name, option, message) => {
  expect(() => checkContract([withAccess(ShellService.method.openSession, option)])).toThrow(message);
});

test("rules say what the contract says", () => {
  expect(ruleOf(IdentityService.method.whoAmI)).toMatchObject({
    kinds: ["operator", "installer", "host"],
    reach: "self",
  });
  expect(ruleOf(HostService.method.armHost)).toMatchObject({
    kinds: ["operator"],
    needs: "operator",
    reach: "cluster",
  });
  expect(ruleOf(AgentService.method.attach)).toMatchObject({ kinds: ["installer", "host"], waiting: true });
  const waiting = methodsOf(OURS).filter((method) => ruleOf(method).waiting);
  expect(waiting).toEqual([AgentService.method.attach]);
  const open = methodsOf([...OURS, Health, ServerReflection]).filter((method) =>
    ruleOf(method).kinds.includes("nobody"),
  );
  expect(open).toEqual([Health.method.check]);
});
