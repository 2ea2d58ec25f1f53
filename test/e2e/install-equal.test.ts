import { test } from "vitest";
import { expectEqualRoot } from "../lab/equal-root.ts";
import { startInstallRack } from "../lab/install-rack.ts";

const PATIENCE = 60 * 60_000;

test("the root file system equals the image entry by entry, but for what the installer owns", {
  timeout: PATIENCE,
}, async () => {
  await using rack = await startInstallRack({ image: "none" });
  await expectEqualRoot(rack, "bios");
});
