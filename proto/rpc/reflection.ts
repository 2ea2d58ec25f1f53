/** grpc.reflection.v1 over the descriptors of the generated code. */
import {
  createRegistry,
  type DescFile,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ERROR_TABLE } from "../values/hps-error.ts";
import type { Handlers } from "./handlers.ts";

type Request = MessageShape<typeof ServerReflectionRequestSchema>;
type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** Tells about the services in these files; what they import is told when it is asked for. */
export function reflectionHandlers(files: readonly DescFile[]): Handlers<typeof ServerReflection> {
  const all = withImports(files);
  const registry = createRegistry(...all);
  const services = files.flatMap((file) => file.services.map((service) => ({ name: service.typeName })));
  return {
    serverReflectionInfo: async function* (requests) {
      for await (const request of requests) {
        const messageResponse = answer({ all, registry, services }, request.messageRequest);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  };
}

interface Known {
  readonly all: readonly DescFile[];
  readonly registry: Registry;
  readonly services: { name: string }[];
}

function answer({ all, registry, services }: Known, request: Request["messageRequest"]): Answer {
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: services } };
    case "fileByFilename":
      return fileAnswer(all.find(({ proto }) => proto.name === request.value));
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(registry, request.value));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const extendee = registry.getMessage(containingType);
      return fileAnswer(extendee && registry.getExtensionFor(extendee, extensionNumber)?.file);
    }
    case "allExtensionNumbersOfType":
      return extensionsAnswer(registry, registry.getMessage(request.value));
    case undefined:
      return refusal("invalid", "the question is empty or of a newer protocol");
  }
}

function fileAnswer(file: DescFile | undefined): Answer {
  if (file === undefined) {
    return refusal("not-found", "no file declares this");
  }
  const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function extensionsAnswer(registry: Registry, message: DescMessage | undefined): Answer {
  if (message === undefined) {
    return refusal("not-found", "no such message");
  }
  const extensions = [...registry].filter((type) => type.kind === "extension");
  const own = extensions.filter((extension) => extension.extendee.typeName === message.typeName);
  const extensionNumber = own.map((extension) => extension.number);
  return { case: "allExtensionNumbersResponse", value: { baseTypeName: message.typeName, extensionNumber } };
}

/** A service, message, enum or extension, or a method or field of one. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  const direct = registry.get(symbol);
  if (direct !== undefined) {
    return direct.file;
  }
  const parent = registry.get(symbol.slice(0, symbol.lastIndexOf(".")));
  const name = symbol.slice(symbol.lastIndexOf(".") + 1);
  if (parent?.kind === "service") {
    return parent.methods.some((method) => method.name === name) ? parent.file : undefined;
  }
  if (parent?.kind === "message") {
    const members = [...parent.fields, ...parent.oneofs];
    return members.some((member) => member.name === name) ? parent.file : undefined;
  }
  return undefined;
}

/** The files and all they import, each once and before what it imports itself. */
function withImports(files: readonly DescFile[]): readonly DescFile[] {
  const seen = new Set<DescFile>();
  const importedFirst: DescFile[] = [];
  const visit = (file: DescFile) => {
    if (!seen.has(file)) {
      seen.add(file);
      file.dependencies.forEach(visit);
      importedFirst.push(file);
    }
  };
  files.forEach(visit);
  return importedFirst.reverse();
}

function refusal(code: "invalid" | "not-found", errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode: ERROR_TABLE[code].grpc, errorMessage } };
}
