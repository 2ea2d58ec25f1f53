/** Where an installed host keeps its agent: on its state partition, the same whichever slot is started. */
const AGENT_FOLDER = "/var/lib/hps/agent";

/** Of the agent's folder: the C library's loader and the libraries beside it. */
export const AGENT_LOADER = "lib/ld-linux-x86-64.so.2";
export const AGENT_LIBRARIES = "lib";

/** What runs the agent: by its own loader and libraries, so that it needs nothing of the image. */
export const AGENT_PROGRAM: readonly string[] = [
  `${AGENT_FOLDER}/${AGENT_LOADER}`,
  "--library-path",
  `${AGENT_FOLDER}/${AGENT_LIBRARIES}`,
  `${AGENT_FOLDER}/node`,
  `${AGENT_FOLDER}/hps-agent.js`,
];
