import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { InstallationSchema, InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { whatNext } from "./what-next.ts";

function next(standing: MessageInitShape<typeof InstallationSchema>): string {
  const state = InstallationState.REBOOTING;
  return whatNext(create(InstallationSchema, { cluster: "lab", host: "web01", state, ...standing })).join("\n");
}

test("of a machine that restarts one reads what it waits for: an operator, whoever has a shell, or its new system", () => {
  expect(next({ rebootPaused: true, attached: true })).toContain("hpsctl installation resume-reboot");
  expect(next({ attached: true })).toMatch(
    /no shell is open .* or after 15 minutes; to hold it:\n .* pause-reboot \S*web01/,
  );
  const restartTime = timestampFromMs(Date.UTC(2026, 10, 20, 23, 5));
  expect(next({ attached: true, restartTime })).toMatch(/any more, or at 2026-11-20.23:05\S*; to hold it:/);
  expect(next({})).toBe("it restarts; waits for the installed system to report");
});
