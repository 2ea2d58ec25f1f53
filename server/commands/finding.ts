import { createServer } from "node:net";

/** One thing that was looked at; well when it has neither problem nor note. */
export interface Finding {
  readonly what: string;
  readonly problem?: string;
  readonly hint?: string;
  /** Nothing is wrong with it, but an operator should know. */
  readonly note?: string;
}

/** One line for the operator. */
export function findingLine({ what, problem, hint, note }: Finding): string {
  if (problem !== undefined) return `problem  ${what}: ${problem}${hint ? ` (${hint})` : ""}`;
  return note === undefined ? `ok       ${what}` : `note     ${what}: ${note}`;
}

/** Whether hpsd could listen there. */
export async function listenFinding(
  what: string,
  at: { readonly host: string; readonly port: number },
): Promise<Finding> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(at, resolve);
    });
    return { what };
  } catch (error) {
    return {
      what,
      problem: error instanceof Error && "code" in error ? String(error.code) : "cannot listen",
      hint: "is hpsd running?",
    };
  } finally {
    server.close();
  }
}
