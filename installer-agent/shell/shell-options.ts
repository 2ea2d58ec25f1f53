/** What bounds a session on the agent. */
export interface ShellLimits {
  /** Sessions at one time. */
  readonly sessions: number;
  /** Between SIGHUP and SIGKILL. */
  readonly graceMs: number;
  /** How long the output of an ended program must have been quiet to be all of it, when something still holds it open. */
  readonly quietMs: number;
}

export interface ShellOptions extends ShellLimits {
  /** Where a session begins, and whose profile a login shell reads. */
  readonly home: string;
}

export const DEFAULT_SHELL_LIMITS: ShellLimits = { sessions: 16, graceMs: 2_000, quietMs: 500 };
