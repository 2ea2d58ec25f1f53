import { expectEqualRoot } from "../lab/equal-root.ts";
import { startInstallRack } from "../lab/install-rack.ts";
import { scenario } from "../runner/scenario.ts";

scenario("equal-uefi", async () => {
  await using rack = await startInstallRack({ image: "none" });
  await expectEqualRoot(rack, "uefi");
});
