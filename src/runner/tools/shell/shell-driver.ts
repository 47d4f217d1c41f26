/** Names of the files that the shell and its runner speak through, in a folder of theirs. */
export const COMMANDS = "commands";
export const CODE = "code";
export const STATE = "state";
/** An end of its input makes the shell prompt again, once for each command. If a command ever breaks that, the shell ends after so many. */
const PROMPTS_MAX = "10000";

/** How the shell is started: interactive, because only such a shell gives up what it runs when it is interrupted, and lives on. */
export function shellArgv(rc_path: string): [string, ...string[]] {
  return ["bash", "--noprofile", "--noediting", "--rcfile", rc_path, "-i"];
}

/**
 * What the shell reads at its start. Its standard input is empty, so that no command reads what is meant for it; its prompt command takes
 * the place: it waits for a line `STEP OUT ERR REPORT` (names in the folder), writes `STEP begun` to REPORT, evaluates the code file with
 * its output going to OUT and ERR, and writes `STEP EXIT_CODE FOLDER`; both end in a NUL. Everything is opened by its name when it is needed, and no descriptor is saved
 * over a command: whatever a command does to descriptors, the next finds its own. A command that was given up (an interrupt, an error of
 * the shell) comes back to the prompt, where it is reported. At its end the shell leaves its exported variables and its folder behind.
 */
export function shellDriver(folder: string): string {
  const report = [
    `{ \\builtin printf "%s %s " "$__sealwork_step" "$__sealwork_status"`,
    `\\builtin pwd`,
    `\\builtin printf "\\0"; } >| "${folder}/$__sealwork_report"`,
  ].join("; ");
  // One line, so that the lines of a command are counted from 1 in what the shell says about it.
  const turn = [
    `__sealwork_status=$?`,
    `\\exec < /dev/null >| /dev/null 2>&1`,
    `if [[ -n \${__sealwork_step-} ]]; then (( __sealwork_status != 0 )) || __sealwork_status=1; ${report}; fi`,
    `__sealwork_step= __sealwork_code=`,
    // A command is evaluated once, with its own files or not at all: without them the shell ends.
    `if IFS=" " \\builtin read -r __sealwork_step __sealwork_out __sealwork_err __sealwork_report < "${folder}/${COMMANDS}"`,
    `then IFS= \\builtin read -r -d "" __sealwork_code < "${folder}/${CODE}" || \\builtin :`,
    `{ \\builtin printf "%s begun\\0" "$__sealwork_step"; } >| "${folder}/$__sealwork_report"`,
    `if \\exec >| "${folder}/$__sealwork_out" 2>| "${folder}/$__sealwork_err"`,
    `then \\builtin eval "$__sealwork_code"`,
    `{ __sealwork_status=$?; } 2> /dev/null`,
    `\\exec >| /dev/null 2>&1`,
    report,
    `else \\exit 1; fi; else \\exit 1; fi`,
    `__sealwork_step=`,
    `[[ \${PROMPT_COMMAND-} == "$__sealwork_prompt" ]] || PROMPT_COMMAND=$__sealwork_prompt`,
    `[[ \${IGNOREEOF-} == ${PROMPTS_MAX} ]] || IGNOREEOF=${PROMPTS_MAX}`,
  ].join("; ");
  return [
    "PS1= PS2=",
    "unset HISTFILE",
    "set +o history +H",
    `IGNOREEOF=${PROMPTS_MAX}`,
    `__sealwork=${quote(turn)}`,
    `__sealwork_prompt='\\builtin eval "$__sealwork"'`,
    "PROMPT_COMMAND=$__sealwork_prompt",
    `trap ${quote(`${saveExports(folder)} 2> /dev/null`)} EXIT`,
    "",
  ].join("\n");
}

/** Code that leaves folder and exported variables in the state file. */
function saveExports(folder: string): string {
  return `{ \\builtin printf "cd %q\\n" "$(\\builtin pwd)"; \\builtin export -p; } >| "${folder}/${STATE}"`;
}

/** Code that leaves in the state file all that a process of its own needs to go on from where the shell is. */
export function saveAll(folder: string): string {
  return `{ \\builtin export -p; \\builtin declare -f; \\builtin alias -p; \\builtin printf "umask %s\\n" "$(\\builtin umask)"; } >| "${folder}/${STATE}"`;
}

/** Bash code that runs the file `$2` after the state in the file `$1`, as the shell would have. */
export const STATE_THEN_CODE = [
  "shopt -s expand_aliases",
  'source "$1" 2> /dev/null',
  'IFS= read -r -d "" __sealwork < "$2" || :',
  'eval "set --; unset __sealwork; $__sealwork"',
].join("; ");

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
