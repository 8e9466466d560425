/**
 * The shell programs that start processes for the daemon where there is no perl (spawner-perl.ts is the same in perl, and has the reports and
 * the record in common). They run under bash (see `monitor` below), and under any POSIX sh where there is no bash; the texts are
 * constants, and whatever a job says reaches them as data: lines read by `read -r`, kept in positional parameters, never
 * part of the program and never evaluated.
 *
 * Three processes to a run. The spawner reads a request and forks a supervisor. The supervisor prepares what can be
 * prepared (environment, directory, is there such a command), forks the job, says `S`, waits, writes the exit record
 * and says `E`; it stays outside the job's process group, so that what kills the group leaves it to tell the tale, and
 * it neither minds the death of the spawner nor that of the daemon. The job redirects, limits itself and execs.
 *
 * Requests (stdin): a line of words (see `main` at the end of the program), then texts. A text is a line that begins with a blank, or several that begin
 * with `+` and one with a blank: a line break belongs after each `+` line. So values may hold line breaks without any
 * shell having to decode anything.
 *
 * Reports (stdout), lines:
 *   H                  (perl only) it works
 *   A pid id…          begun: a supervisor has these, under that process id
 *   F id               not even a supervisor could be forked; the spawner ends
 *   N id step [words]  not started; see launch-problem.ts for the steps
 *   S id pid           started
 *   E id kind number   ended: `exited` and the code, or `signalled` and the signal's number
 *
 * The exit record (read by exit-record.ts) is made by the supervisor, exclusively, before anything else: where it exists
 * already, somebody has decided that this is not to be started. Then come lines: `started pid` before S is said, in between what the
 * job's process and the shell note for `verdict`, and last, before it is said, what N or E say after the id.
 *
 * A shell folds exit codes and signals into one number, 128 + n, so `exit 137` looks like SIGKILL. What tells them
 * apart is `jobs`, asked before the shell forgets the job: it says `Done(137)` or `Exit 137` for a code and a signal's
 * name for a signal, in dash, busybox and bash alike, in the C locale. Bash forgets a job as soon as it was waited for, but
 * remembers it within a CHLD trap; dash and busybox still know it after `wait`.
 *
 * Why bash is preferred: its `set -m` works without a terminal and gives the job a process group before it runs. In
 * dash and busybox it needs a terminal, so there `setsid` is executed on the way (0.4 ms more), and as POSIX wants it of `&`
 * without job control, SIGINT and SIGQUIT are ignored in the job, which no shell can undo.
 *
 * The job inherits the spawner's exported variables, so the programs' own all begin with `ts_`.
 */

/**
 * Stands between setpriv, nice or setsid and the job's program, as the job's user:
 * `sh -c LAUNCHER name cwd mode count [assignment…] program [argument…]`. The mode `env` has env(1) make the `count` assignments, `bare`
 * has it make them in an otherwise empty environment; `wrapped` makes none.
 */
export const LAUNCHER_SCRIPT = `
ts_step=cwd
trap 'printf "failed %s %s\\n" "$ts_step" "$?" >&4' EXIT
cd -- "$1" || exit 127
ts_mode=$2
ts_count=$3
shift 3
unset OLDPWD
ts_step=command
find() {
  shift "$(($1 + 1))"
  case $1 in
  */*) [ -f "$1" ] && [ -x "$1" ] ;;
  *) command -v -- "$1" >/dev/null ;;
  esac
}
find "$ts_count" "$@" || exit 127
ts_step=exec
case $ts_mode in
env) set -- env "$@" ;;
bare) set -- env -i \${HOME+"HOME=$HOME"} \${USER+"USER=$USER"} \${LOGNAME+"LOGNAME=$LOGNAME"} "$@" ;;
esac
shopt -s execfail 2>/dev/null
printf 'launched\\n' >&4
{ exec "$@"; } 4>&-
printf 'failed exec %s\\n' "$?" >&4 # in bash, which comes back without its trap
`;

/** What shells differ in: whether they can give a job a process group (see above), and how they count in limits. */
export const SHELL_LIMITS = `
case \${BASH_VERSION:-0} in
[1-4].* | 0) ts_monitor= ts_block=512 ts_processes=-p ;;
*)
  ts_monitor=1 ts_block=1024 ts_processes=-u
  set +o posix
  ;;
esac

# Shells count file sizes in blocks of their own.
limit() {
  case $1 in
  cpu=*) ulimit -t "\${1#*=}" ;;
  memory=*) ulimit -v "$((\${1#*=} / 1024))" ;;
  open_files=*) ulimit -n "\${1#*=}" ;;
  file_size=*) ulimit -f "$((\${1#*=} / ts_block))" ;;
  core=*) ulimit -c "$((\${1#*=} / ts_block))" ;;
  processes=*) ulimit "$ts_processes" "\${1#*=}" ;;
  esac
}
`;

/** A module task that runs as another user could not open these itself, below a directory of root's. */
export const MODULE_FILES =
  'if [ -f "$ts_base.task.json" ]; then exec 7<"$ts_base.task.json" 8>>"$ts_base.result.json"; fi';

/** The spawner: `sh -c SPAWNER name LAUNCHER`. */
export const SPAWNER_SCRIPT = `
trap '' PIPE HUP INT QUIT TERM
trap 'printf "F %s\\n" "$ts_id"' EXIT
ts_launcher=$TSCHED_LAUNCHER
unset TSCHED_SPAWNER TSCHED_LAUNCHER OLDPWD
# As the spawner finds them: what runs before the job's user is taken on is not for the job's own PATH to choose.
ts_setpriv=$(command -v setpriv) ts_renice=$(command -v nice) ts_setsid=$(command -v setsid)
ts_mask=$(umask)
umask 077
ts_newline='
'
${SHELL_LIMITS}
# Reads a text into ts_value.
text() {
  ts_value=
  while IFS= read -r ts_line; do
    case $ts_line in
    +*) ts_value=$ts_value\${ts_line#?}$ts_newline ;;
    *) ts_value=$ts_value\${ts_line#?}; return 0 ;;
    esac
  done
  return 1
}

# What becomes the job's process. Whatever goes wrong before exec ends in the trap. (Bash would go on after a redirection that failed.)
job() {
  trap - PIPE HUP INT QUIT TERM CHLD
  trap 'printf "failed %s %s\\n" "$ts_step" "$?" >>"$ts_record"; exit 127' EXIT
  ts_step=output
  if [ "$ts_log" ]; then exec >>"$ts_log" 2>&1 5>&- 6>&-; else exec >&5 2>&6 5>&- 6>&-; fi || exit 127
  ts_step=stdin
  exec <"$ts_input" || exit 127
  umask "$ts_mode"
  ts_step=limits
  while [ "$ts_limits" ]; do
    limit "\${ts_limits%%,*}" || exit 127
    ts_limits=\${ts_limits#*,}
  done
  ts_step=exec
  if [ "$ts_wrap" ]; then
    exec 4>>"$ts_record" || exit 127
    printf 'failed wrapper\\n' >&4
    ts_base=\${ts_record%.exit}
    ${MODULE_FILES}
  fi
  exec "$@" # a bash that fails here ends without its trap: see commandProblem in launch-problem.ts
}

# Makes the record: who makes it first has the say whether the job is started.
claim() {
  set -C
  if { :; } >"$ts_record"; then
    set +C
    return
  fi
  trap - EXIT
  if [ -e "$ts_record" ]; then ts_step=fenced; else ts_step=record; fi
  printf 'N %s %s\\n' "$ts_id" "$ts_step"
  exit
}

# Ends the supervisor of a job that cannot be started.
refuse() {
  trap - EXIT
  printf 'not_started %s\\n' "$1" >>"$ts_record"
  printf 'N %s %s\\n' "$ts_id" "$1"
  exit
}

# Finds the line of a name or number in a data base of accounts, kept in files or elsewhere.
account() {
  ts_value=
  while IFS= read -r ts_line; do
    case $ts_line in
    "$2":*) ts_value=$ts_line; return 0 ;;
    esac
  done <"/etc/$1"
  ts_value=$(getent "$1" "$2" 2>/dev/null)
  [ "$ts_value" ]
}

identify() {
  account passwd "$ts_user" || refuse user
  IFS=: read -r ts_name ts_line ts_uid ts_gid ts_line ts_home ts_line <<EOF
$ts_value
EOF
  export HOME="$ts_home" USER="$ts_name" LOGNAME="$ts_name"
  if [ "$ts_group" != - ]; then
    account group "$ts_group" || refuse group
    IFS=: read -r ts_line ts_line ts_gid ts_line <<EOF
$ts_value
EOF
  fi
  [ "$ts_setpriv" ] || refuse setpriv
}

# Decides by what was noted in the record: by the job before its exec, by the launcher, and by the shell on the job's end.
verdict() {
  ts_answer="exited $ts_code" ts_kind= ts_said=
  while IFS= read -r ts_line; do
    case $ts_line in
    failed*) ts_answer=not_started\${ts_line#failed} ;;
    launched) ts_answer="exited $ts_code" ;;
    started*) ;;
    *Done*) ts_kind=exited ts_said=0 ;;
    *Exit*)
      ts_kind=exited ts_said=\${ts_line#*Exit }
      ts_said=\${ts_said%%[!0-9]*}
      ;;
    *Killed*) ts_kind=signalled ts_said=137 ;;
    *) ts_kind=signalled ts_said=143 ;;
    esac
  done <"$ts_record"
  # A shell that has forgotten the job says 127; what \`jobs\` said before is better.
  [ "$ts_code" = 127 ] && [ "$ts_said" ] && ts_code=$ts_said
  case $ts_answer$ts_kind in
  exited*signalled) ts_answer="signalled $((ts_code - 128))" ;;
  exited*exited) ts_answer="exited $ts_code" ;;
  esac
}

# Without -f, \`wait\` also comes back from a job that was stopped, as often as it is asked.
stopped() {
  case $ts_code in
  147 | 148 | 149 | 150) ;;
  *) return 1 ;;
  esac
  ts_line=
  { read -r ts_line <"/proc/$ts_pid/stat"; } 2>/dev/null
  case \${ts_line##*') '} in
  [Tt]*) return 0 ;;
  esac
  return 1
}

prepare() {
  while [ "$ts_variables" -gt 0 ]; do
    export "$1"
    shift
    ts_variables=$((ts_variables - 1))
  done
  if [ "$ts_wrap" ]; then
    [ "$ts_user" = - ] || set -- "$ts_setpriv" --reuid "$ts_uid" --regid "$ts_gid" --init-groups -- "$@"
    [ "$ts_nice" = - ] || set -- "$ts_renice" -n "$ts_nice" "$@"
    [ "$ts_monitor" ] || set -- "$ts_setsid" "$@"
  else
    cd -- "$ts_cwd" || refuse cwd
    unset OLDPWD
    case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ] || refuse command ;;
    *) command -v -- "$1" >/dev/null || refuse command ;;
    esac
  fi
  if [ "$ts_monitor" ]; then
    set -m
    trap 'jobs >>"$ts_record"' CHLD
  fi
  job "$@" &
}

supervise() {
  claim
  trap 'refuse fork' EXIT
  [ "$ts_user" = - ] || identify
  prepare "$@"
  ts_pid=$!
  trap - EXIT
  printf 'started %s\\n' "$ts_pid" >>"$ts_record"
  exec 5>&- 6>&- # who reads the daemon's output must not wait for the end of a job that outlives it
  printf 'S %s %s\\n' "$ts_id" "$ts_pid"
  LC_ALL=C
  if [ "$ts_monitor" ]; then
    # Not \`wait -f\`: it spins for ever when \`jobs\` made bash forget the job just then (seen once in thousands of runs).
    wait "$ts_pid"
    ts_code=$?
    while stopped; do
      sleep 1
      wait "$ts_pid"
      ts_code=$?
    done
  else
    wait "$ts_pid"
    ts_code=$?
    [ "$ts_code" -gt 128 ] && jobs >>"$ts_record"
  fi
  ts_answer="exited $ts_code"
  if [ "$ts_code" -gt 125 ] || [ "$ts_wrap" ]; then verdict; fi
  printf '%s\\n' "$ts_answer" >>"$ts_record"
  case $ts_answer in
  not_started*) printf 'N %s %s\\n' "$ts_id" "\${ts_answer#not_started }" ;;
  *) printf 'E %s %s\\n' "$ts_id" "$ts_answer" ;;
  esac
}

# A request: words, then the texts cwd, record, log, stdin, variables, assignments for env(1), and the job's argv.
# "-" is a word left out. An id of 0 asks to forget ended supervisors, which some shells do only when told.
while read -r ts_id ts_variables ts_assignments ts_arguments ts_wrap ts_mode ts_nice ts_user ts_group ts_limits; do
  if [ "$ts_id" = 0 ]; then
    [ "$ts_monitor" ] || jobs >/dev/null 2>&1
    continue
  fi
  [ "$ts_wrap" = - ] && if [ "$ts_monitor" ]; then ts_wrap=; else ts_wrap=wrapped; fi
  [ "$ts_mode" = - ] && ts_mode=$ts_mask
  [ "$ts_limits" = - ] && ts_limits=
  text && ts_cwd=$ts_value
  text && ts_record=$ts_value
  text && ts_log=$ts_value
  text && ts_input=$ts_value
  set --
  ts_left=$ts_variables
  while [ "$ts_left" -gt 0 ] && text; do
    set -- "$@" "$ts_value"
    ts_left=$((ts_left - 1))
  done
  [ "$ts_wrap" ] && set -- "$@" /bin/sh -c "$ts_launcher" tsched "$ts_cwd" "$ts_wrap" "$ts_assignments"
  ts_left=$((ts_assignments + ts_arguments))
  while [ "$ts_left" -gt 0 ] && text; do
    set -- "$@" "$ts_value"
    ts_left=$((ts_left - 1))
  done
  [ "$ts_left" = 0 ] || break # the daemon died in the middle of a request
  case $ts_log in
  .*) ts_log=\${ts_record%.exit}$ts_log ;;
  esac
  supervise "$@" &
  printf 'A %s %s\\n' "$!" "$ts_id"
done
trap - EXIT
`;
