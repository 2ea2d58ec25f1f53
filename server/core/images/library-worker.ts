/** One job for a library, in a thread that gives way to everything else. */
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { sentError } from "../../../proto/flow/sent-error.ts";
import type { LibraryReply } from "./library-thread.ts";
import { carryOut, type LibraryJob } from "./library-work.ts";
import { DEFECT } from "./thread-failure.ts";

/** Of this thread alone, as Linux has it: 10 gets a tenth of what a thread of hpsd's gets beside it. */
setPriority(0, 10);

const reply = (message: LibraryReply) => parentPort?.postMessage(message);
try {
  reply({ kind: "result", result: await carryOut(workerData satisfies LibraryJob) });
} catch (error) {
  reply({ kind: "failure", failure: sentError(error, DEFECT) });
}
