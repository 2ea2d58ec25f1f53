/** The tree of a running host, as its agent writes it in a command session. */
import { AGENT_PROGRAM } from "../../../proto/values/agent-program.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeBytes } from "../../../proto/values/safe-text.ts";
import type { Connection } from "../../shell/connection.ts";
import type { ImageSource } from "./source.ts";
import { readTar } from "./tar-source.ts";

/** What of the host's tree is wanted, beside all that is its own system. */
export interface CaptureWish {
  /** Patterns of paths that are not. */
  readonly exclude: readonly string[];
  /** Folders on which other file systems are mounted that are. */
  readonly mounts: readonly string[];
}

/** What a shell gives for a program that is not there. */
const NO_PROGRAM = 127;
/** Of what the agent says; no more is kept. */
const MOST_SAID = 64 * 1024;

const [LOADER = ""] = AGENT_PROGRAM;

/** The agent's own program, where an installed host keeps it; or one that is on the path. */
const SCRIPT = `if [ -x ${LOADER} ]; then exec ${AGENT_PROGRAM.join(" ")} "$@"; fi
exec hps-agent "$@"`;

export function captureCommand({ exclude, mounts }: CaptureWish): string[] {
  const options = [...many("--exclude", exclude), ...many("--mount", mounts)];
  return ["sh", "-c", SCRIPT, "hps-agent", "capture", ...options];
}

function many(option: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [option, ...values];
}

/** Reads the session of a capture; `say` hears what the agent says about it, when it has ended well. */
export function captureSource(connection: Connection, host: string, say: (line: string) => void): ImageSource {
  return {
    ...{ sizeBytes: 0, roomBytes: 0 },
    read: async (builder, progress) => {
      const said: Uint8Array[] = [];
      await readTar(outputOf(connection, host, said), builder, progress);
      for (const line of linesOf(said)) say(line);
    },
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  };
}

async function* outputOf(connection: Connection, host: string, said: Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  let room = MOST_SAID;
  for await (const message of connection.messages()) {
    if (message.case === "output") yield message.value;
    else if (message.case === "errorOutput") {
      said.push(message.value.subarray(0, room));
      room = Math.max(0, room - message.value.length);
    } else if (message.case === "exit") {
      const { code, reason } = message.value;
      if (reason !== "") throw new HpsError("aborted", `the capture of ${host} was ended: ${reason}`);
      if (code !== 0) throw captureError(host, code, linesOf(said).at(-1) ?? "");
      return;
    }
  }
  throw new HpsError("data-loss", `the session with ${host} ended without an exit code`);
}

function captureError(host: string, code: number, said: string): HpsError {
  if (code === NO_PROGRAM) {
    return new HpsError("precondition", `${host} has no agent where an installed host keeps it`, {
      hint: "is it an installed host, and not an installer? its agent is below /var/lib/hps",
    });
  }
  if (said.includes("unknown command")) {
    return new HpsError("unimplemented", `the agent of ${host} is older than this: it cannot capture`, {
      hint: "install the host anew with a newer installer image",
    });
  }
  return new HpsError("aborted", `${host} was not captured: ${said || `its agent ended with exit code ${code}`}`, {
    hint: "files that are written meanwhile can be left out by --exclude, or what writes them stopped",
  });
}

function linesOf(said: readonly Uint8Array[]): string[] {
  const text = safeBytes(Buffer.concat(said), { keepLayout: true });
  return text.split("\n").filter((line) => line.trim() !== "");
}
