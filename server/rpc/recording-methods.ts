import type { ShellService } from "../../proto/gen/hps/v1/shell_pb.ts";
import { RecordingPart } from "../../proto/gen/hps/v1/shell_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { Recordings } from "../core/shells/recordings.ts";
import { wordOf } from "./fields.ts";

export interface RecordingMethodsDeps {
  readonly access: Access;
  readonly recordings: Recordings;
}

const PARTS = {
  cast: RecordingPart.CAST,
  raw: RecordingPart.RAW,
  command: RecordingPart.COMMAND,
  input: RecordingPart.INPUT,
} as const;

/** The methods of ShellService about what is recorded. */
export function recordingMethods({
  access,
  recordings,
}: RecordingMethodsDeps): Pick<Handlers<typeof ShellService, Caller>, "readRecording" | "verifyRecording"> {
  return {
    readRecording: async function* (request, { principal: caller }) {
      const { id } = await access.session(caller, request.session);
      const part = request.part === RecordingPart.UNSPECIFIED ? undefined : wordOf(PARTS, request.part, "part");
      const wish = { part, offset: offsetOf(request.offset) };
      for await (const data of recordings.read(caller, id, wish)) yield { data };
    },

    verifyRecording: async (request, { principal: caller }) => {
      const { id } = await access.session(caller, request.session);
      const { problems, auditSequence, ...digests } = await recordings.verify(id);
      return { ...digests, problems: [...problems], auditSequence: BigInt(auditSequence) };
    },
  };
}

function offsetOf(offset: bigint): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HpsError("invalid", `${offset} is no offset of a file`);
  }
  return Number(offset);
}
