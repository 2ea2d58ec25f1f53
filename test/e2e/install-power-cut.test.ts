import { startInstallRack } from "../lab/install-rack.ts";
import { cutPowerIn } from "../lab/power-cut.ts";
import { scenario } from "../runner/scenario.ts";

scenario("power-image", async () => {
  await using rack = await startInstallRack();
  await cutPowerIn("image", rack, { name: "web01", mac: "52:54:00:00:02:01" });
});
