import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { SessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { commandStart, openShellsRig } from "../core/shells/testing.ts";
import { sessionMessage } from "./session-message.ts";

test("a terminal that goes on says how long it does without anybody, a command has no such time", async () => {
  await using rig = await openShellsRig({ limits: { holdMs: 90_000 } });
  const holds = [await rig.open(), await rig.open(commandStart("cat"))].map(({ session: { row } }) => {
    const { hold } = create(SessionSchema, sessionMessage(row, rig.shells.live(row.id)));
    return hold && durationMs(hold);
  });
  expect(holds).toEqual([90_000, undefined]);
  await rig.shells.stop(100);
});
