import { expect, test } from "vitest";
import { can, HOST_EVENTS, HOST_STATES, type HostEvent, type HostState, isOpen, next } from "./life-cycle.ts";

/** Written apart from the table on purpose: a change of one without the other is seen. `x` is refused, `-` ends the installation. */
const EXPECTED = `
                  arm   disarm expire ask               enrol      re-enrol    resume     fail   retry      conflict unfreeze    finish    report ail       cancel
registered        armed x      x      x                 x          x           x          x      x          x        x           x         x      x         x
installed         armed x      x      x                 x          x           x          x      x          x        x           x         x      x         x
armed             x     -      -      awaiting-approval installing x           x          x      x          frozen   x           x         x      x         -
awaiting-approval x     -      -      awaiting-approval installing x           x          x      x          frozen   x           x         x      x         -
installing        x     x      x      interrupted       x          interrupted installing failed x          frozen   x           rebooting x      x         -
interrupted       x     x      x      interrupted       x          interrupted installing x      installing frozen   x           x         x      x         -
failed            x     x      x      failed            x          failed      x          x      installing frozen   x           x         x      x         -
frozen            x     x      x      x                 x          x           x          x      x          frozen   interrupted x         x      x         -
rebooting         x     x      x      x                 x          x           x          x      x          frozen   x           x         -      rebooting -
`
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/\s+/));

const [events = [], ...rows] = EXPECTED;

test("the expectation covers every state and every event", () => {
  expect(events).toEqual([...HOST_EVENTS]);
  expect(rows.map(([state]) => state)).toEqual([...HOST_STATES]);
});

function outcomeOf(state: HostState, event: HostEvent): string {
  if (!can(state, event)) {
    expect(() => next(state, event)).toThrow(`cannot ${event} a host that is ${state}`);
    return "x";
  }
  const to = next(state, event);
  return typeof to === "string" ? to : "-";
}

test.each(HOST_STATES.map((state, index) => [state, rows[index]?.slice(1)] as const))("%s", (state, expected) => {
  expect(HOST_EVENTS.map((event) => outcomeOf(state, event))).toEqual(expected);
});

test("every open state has a way out for an operator, and only the report of the installed system is a success", () => {
  for (const state of HOST_STATES.filter(isOpen)) {
    expect(next(state, "cancel")).toEqual({ outcome: "cancelled", rest: "as-before" });
  }
  const successes = HOST_STATES.flatMap((state) =>
    HOST_EVENTS.filter((event) => can(state, event)).map((event) => [event, next(state, event)] as const),
  );
  expect(
    successes.filter(([, to]) => typeof to !== "string" && to.outcome === "succeeded").map(([event]) => event),
  ).toEqual(["report"]);
});
