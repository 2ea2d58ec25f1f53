import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { InstallationSchema, InstallationState, Outcome, StepState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { StepsScreen } from "./steps-screen.ts";

const at = (done: bigint) =>
  create(InstallationSchema, {
    ...{ id: "i1", cluster: "lab", host: "web01", state: InstallationState.INSTALLING },
    steps: [{ name: "image", state: StepState.RUNNING, done, total: 4n, unit: "files" }],
  });

test("a step that was cut off by the end of its installation is no more under way", () => {
  const terminal = fakeTerminal({ tty: true, environment: { NO_COLOR: "1" } });
  const ended = { state: InstallationState.ENDED, outcome: Outcome.CANCELLED, reason: "wrong rack" };
  for (const ids of [["i1"], ["i1", "i2"]]) {
    using screen = new StepsScreen(terminal, ids);
    screen.show({ ...at(1n), ...ended });
  }
  const [detail = "", overview = ""] = terminal.printed().split("1 of 1 ended");
  expect(detail).toBe("lab/web01  cancelled: wrong rack\n- image  1 of 4 files\n");
  expect(overview).toBe("\nlab/web01  cancelled     0/1  wrong rack\n");
});

test("it is drawn anew from the beginning of its first line, wherever a key has moved the cursor", async () => {
  const terminal = fakeTerminal({ tty: true, environment: { NO_COLOR: "1" } });
  {
    using screen = new StepsScreen(terminal, ["i1"]);
    screen.show(at(1n));
    await expect.poll(() => terminal.printed()).toContain("25 %");
    screen.show(at(2n));
  }
  const [first = "", second = "", ...more] = terminal.printed().split("\r\x1b[2A\x1b[J");
  expect(more).toEqual([]);
  for (const drawn of [first, second]) expect(drawn).toMatch(/^lab\/web01 {2}installing\n> image {2}\[.*\n$/);
});
