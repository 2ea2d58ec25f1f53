import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { write } from "../output/terminal.ts";
import type { Call } from "./call.ts";

/** Each asks hpsctl itself for the words that may come next: commands, options, names of hosts that exist now. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# source <(hpsctl completion bash)
_hpsctl() {
  local IFS=$'\\n'
  local line=\${COMP_LINE:0:COMP_POINT}
  local -a words
  IFS=$' \\t' read -ra words <<< "$line"
  case $line in *[[:space:]]) words+=("") ;; esac
  local last=\${words[\${#words[@]}-1]}
  local current=\${COMP_WORDS[COMP_CWORD]}
  local before=\${last%"$current"}
  COMPREPLY=($(hpsctl __complete -- "\${words[@]:1}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
}
complete -F _hpsctl hpsctl
`,
  zsh: `#compdef hpsctl
# source <(hpsctl completion zsh)
_hpsctl() {
  local -a found
  found=("\${(@f)$(hpsctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $found
}
compdef _hpsctl hpsctl
`,
  fish: `# hpsctl completion fish | source
complete -c hpsctl -f -a '(hpsctl __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

export async function completion(call: Call): Promise<number> {
  const shell = call.operand(0);
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    throw new HpsError("invalid", `no completion for ${quote(shell)}`, { hint: "one of bash, zsh, fish" });
  }
  await write(call.terminal.stdout, script);
  return 0;
}
