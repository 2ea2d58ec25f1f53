import { expect, test } from "vitest";
import { HpsError } from "../../proto/values/hps-error.ts";
import { ConsoleTalk } from "./console-talk.ts";
import { Situation } from "./situation.ts";

function talker() {
  const situation = new Situation();
  const talk = new ConsoleTalk();
  let now = 0;
  const said = (ms = 0) => {
    now += ms;
    return talk.lines(situation.now, now);
  };
  return { situation, said };
}

test("who this is, what to approve, each step, and nothing twice but what waits for someone", () => {
  const { situation, said } = talker();
  situation.change({ machine: "Acme R1, serial number S1, 52:54:00:12:34:56", server: "https://10.0.0.1:7444" });
  expect(said()).toEqual([
    "this machine is Acme R1, serial number S1, 52:54:00:12:34:56",
    "hpsd is https://10.0.0.1:7444",
  ]);
  situation.change({ doing: "enrolment" });
  expect(said()).toEqual(["enrolment"]);
  situation.change({ fingerprint: "1a2b3-c4d5e-6f708-192a3" });
  const ask = [
    "waiting for approval; the fingerprint of this machine is 1a2b3-c4d5e-6f708-192a3",
    "compare it with what hpsd shows, then: hpsctl host approve HOST --fingerprint 1a2b3-c4d5e-6f708-192a3",
  ];
  expect(said()).toEqual(ask);
  expect(said(1_000)).toEqual([]);
  expect(said(60_000)).toEqual(ask);
  situation.change({ fingerprint: "" });
  situation.hear({ case: "plan", value: { steps: ["clock", "image"] } });
  situation.hear({ case: "stepStarted", value: { step: "image" } });
  expect(said()).toEqual(["step image (2 of 2)"]);
});

test("progress is told every ten seconds, a failure with what to do, again and again, until it goes on", () => {
  const { situation, said } = talker();
  situation.hear({ case: "plan", value: { steps: ["image"] } });
  situation.hear({ case: "stepStarted", value: { step: "image" } });
  situation.change({ host: "web01" });
  said();
  const progress = (done: number) =>
    situation.hear({
      case: "stepProgress",
      value: { step: "image", done: BigInt(done), total: 200n << 20n, unit: "bytes" },
    });
  progress(1 << 20);
  expect(said(1)).toEqual(["image: 0 % of 200 MiB"]);
  progress(50 << 20);
  expect(said(1_000)).toEqual([]);
  progress(100 << 20);
  expect(said(9_500)).toEqual(["image: 50 % of 200 MiB"]);
  situation.hear({ case: "stepFailed", value: { step: "image", reason: "no space left" } });
  const stopped = [
    "STOPPED in step image: no space left",
    "to go on: hpsctl installation retry web01; to give up: hpsctl installation cancel web01",
  ];
  expect(said()).toEqual(stopped);
  expect(said(61_000).slice(-2)).toEqual(stopped);
  situation.hear({ case: "stepStarted", value: { step: "image" } });
  expect(said(120_000)).toEqual([]);
});

test("a machine that comes back to an installation that waits says so, and not when only its restart is left", () => {
  const { situation, said } = talker();
  situation.change({ host: "web01" });
  said();
  situation.held("image");
  expect(said()).toEqual([
    "image",
    "STOPPED in step image: this installation was interrupted or has failed before, and waits for an operator",
    "to go on: hpsctl installation retry web01; to give up: hpsctl installation cancel web01",
  ]);
  situation.hear({ case: "stepStarted", value: { step: "image" } });
  situation.hear({ case: "stepFailed", value: { step: "image", reason: "no space left" } });
  said();
  situation.held("image");
  situation.held(undefined);
  expect(situation.now.problem).toBe("no space left");
});

test("who was stopped and has leave to go on is told to do nothing more, also where no step is left", () => {
  const { situation, said } = talker();
  situation.held("image");
  said();
  situation.permitted();
  expect(said(120_000)).toEqual([]);
  expect(situation.now).toMatchObject({ problem: "", stopped: false });
});

test("what hpsd has ended is not to be retried; any other end of the agent may be", () => {
  const { situation, said } = talker();
  situation.change({ host: "web01", doing: "image" });
  said();
  situation.ended(new HpsError("unavailable", "the network is gone"));
  expect(said()).toEqual([
    "STOPPED in step image: the network is gone",
    "to go on: hpsctl installation retry web01; to give up: hpsctl installation cancel web01",
  ]);
  situation.ended(new HpsError("unauthenticated", "the installation is over", { details: { reason: "ended" } }));
  expect(said()).toEqual(["image: the installation is over"]);
});
