import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { file_grpc_health_v1_health } from "../gen/grpc/health/v1/health_pb.ts";
import {
  file_grpc_reflection_v1_reflection,
  ServerReflection,
  type ServerReflectionRequestSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { file_hps_v1_access } from "../gen/hps/v1/access_pb.ts";
import { file_hps_v1_host } from "../gen/hps/v1/host_pb.ts";
import { reflectionHandlers } from "./reflection.ts";
import { client } from "./rpc-client.ts";
import { all, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();
const FILES = [file_grpc_health_v1_health, file_grpc_reflection_v1_reflection, file_hps_v1_host, file_hps_v1_access];

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

async function ask(...questions: readonly Question[]) {
  const rig = await startRig();
  rig.server.add(ServerReflection, reflectionHandlers(FILES));
  const source = async function* () {
    for (const messageRequest of questions) {
      yield { host: "here", messageRequest };
    }
  };
  const answers = await all(client(ServerReflection, rig.channel).serverReflectionInfo(source()));
  expect(answers.map((answer) => answer.originalRequest?.messageRequest.case)).toEqual(
    questions.map(({ case: kind }) => kind),
  );
  return answers.map((answer) => answer.messageResponse);
}

test("a client that knows nothing learns services, methods and messages", async () => {
  const [list, symbol] = await ask(
    { case: "listServices", value: "" },
    { case: "fileContainingSymbol", value: "hps.v1.HostService" },
  );
  const services = list?.case === "listServicesResponse" ? list.value.service.map(({ name }) => name) : [];
  expect(services).toEqual(["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "hps.v1.HostService"]);
  const bytes = symbol?.case === "fileDescriptorResponse" ? symbol.value.fileDescriptorProto : [];
  const file = bytes.map((one) => fromBinary(FileDescriptorProtoSchema, one));
  expect(file[0]?.name).toBe("hps/v1/host.proto");
  // Throws when an import is missing, or stands before what needs it.
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
  const methods = registry.getService("hps.v1.HostService")?.methods.map(({ name }) => name);
  expect(methods).toContain("GetHost");
  expect(registry.getMessage("hps.v1.Host")?.fields.length).toBeGreaterThan(0);
});

test.each([
  ["grpc.health.v1.Health.Check", "grpc/health/v1/health.proto"],
  ["grpc.health.v1.HealthCheckRequest", "grpc/health/v1/health.proto"],
  ["grpc.health.v1.HealthCheckRequest.service", "grpc/health/v1/health.proto"],
  ["grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"],
  ["grpc.reflection.v1.ServerReflectionRequest.message_request", "grpc/reflection/v1/reflection.proto"],
  ["hps.v1.access", "hps/v1/access.proto"],
  ["google.protobuf.MethodOptions", "google/protobuf/descriptor.proto"],
])("%s is found in its file", async (symbol, expected) => {
  const questions = [
    { case: "fileContainingSymbol", value: symbol },
    { case: "fileByFilename", value: expected },
  ] as const;
  for (const answer of await ask(...questions)) {
    const bytes = answer?.case === "fileDescriptorResponse" ? answer.value.fileDescriptorProto[0] : undefined;
    expect(fromBinary(FileDescriptorProtoSchema, bytes ?? new Uint8Array()).name).toBe(expected);
  }
});

test("extensions are found by number", async () => {
  const containingType = "google.protobuf.MethodOptions";
  const [numbers, file] = await ask(
    { case: "allExtensionNumbersOfType", value: containingType },
    { case: "fileContainingExtension", value: { containingType, extensionNumber: 50617 } },
  );
  expect(numbers?.value).toMatchObject({ baseTypeName: containingType, extensionNumber: [50617] });
  expect(file?.case).toBe("fileDescriptorResponse");
});

test("what is not there is said, and the stream goes on", async () => {
  const answers = await ask(
    { case: "fileContainingSymbol", value: "hps.v1.Nothing" },
    { case: "fileContainingSymbol", value: "grpc.health.v1.Health.Nothing" },
    { case: "fileContainingSymbol", value: "" },
    { case: "fileByFilename", value: "../etc/passwd" },
    { case: "fileContainingExtension", value: { containingType: "no.Such", extensionNumber: 1 } },
    { case: "allExtensionNumbersOfType", value: "no.Such" },
    { case: "listServices", value: "" },
  );
  expect(answers.map((answer) => answer?.case)).toEqual([...Array(6).fill("errorResponse"), "listServicesResponse"]);
  expect(answers[0]?.value).toMatchObject({ errorCode: 5 });
});
