import type { AddCommands } from "./group.ts";
import { addImageBuildCommand } from "./image-build.ts";

export const addImageCommands: AddCommands = (group, tools) => {
  addImageBuildCommand(group, tools);
};
