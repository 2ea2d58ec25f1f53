import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HpsError } from "../../proto/values/hps-error.ts";

const LAST_BYTES = 2000;

/** The content of xz files one after the other, by the program xz; it ends with whoever reads. */
export async function* unxz(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const child = spawn("xz", ["--decompress", "--stdout"], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-LAST_BYTES);
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => resolve(code === 0 ? "" : (by ?? `exit code ${code}`)));
  });
  // What stops xz stops its input too: the reason is how it ended.
  const feeding = pipeline(Readable.from(source), child.stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  const ending = ended.then(
    (how) => (how === "" ? undefined : damaged(how, said)),
    (cause: unknown) => notThere(cause),
  );
  try {
    yield* child.stdout;
    const [failure, fed] = await Promise.all([ending, feeding]);
    if (failure !== undefined) throw fed instanceof HpsError ? fed : failure;
    if (fed !== undefined) throw fed;
  } finally {
    child.kill("SIGKILL");
  }
}

function damaged(how: string, said: string): HpsError {
  return new HpsError("invalid", `the archive is no whole xz file (${how})`, {
    hint: "xz --test FILE says where; get it anew",
    cause: said,
  });
}

function notThere(cause: unknown): HpsError {
  return new HpsError("precondition", "xz is not installed", { hint: "apt-get install xz-utils", cause });
}
