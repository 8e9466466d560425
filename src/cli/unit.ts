/** The text of the systemd unit, systemd.service(5). Pure. */

export interface UnitOptions {
  /** Absolute paths. systemd refuses a program with quotes or backslashes in its path. */
  readonly node: string;
  readonly tsched: string;
  readonly file: string;
  /** A unit of `systemctl --user`. */
  readonly ofUser: boolean;
  /** The user a unit of the system runs as; undefined: root, who alone can run jobs as others (`user:`). */
  readonly runAs: string | undefined;
}

export function unitText(options: UnitOptions): string {
  const { ofUser } = options;
  const sections = [
    `# Written by "tsched install". Changes belong in a drop-in: systemctl ${ofUser ? '--user ' : ''}edit tsched`,
    `[Unit]\nDescription=tsched, a cron daemon`,
    ...(ofUser ? [] : [network]),
    `# A scheduler comes back, however often it must; RestartSec sets the pace.\nStartLimitIntervalSec=0`,
    `\n[Service]\n${waysToTell(ofUser)}`,
    `ExecStart=${word(options.node, 'program')} ${word(options.tsched)} start ${word(options.file)}`,
    life,
    ...(ofUser ? ['RuntimeDirectory=tsched'] : [identity(options.runAs), fence]),
    `\n[Install]\nWantedBy=${ofUser ? 'default.target' : 'multi-user.target'}`,
  ];
  return `${sections.join('\n')}\n`;
}

const network = `Wants=network-online.target
After=network-online.target time-sync.target`;

/** The path in OpenFile= is not specifier-expanded, and a user's manager listens elsewhere. */
function waysToTell(ofUser: boolean): string {
  const descriptor = `# How tsched speaks to systemd: by this descriptor (systemd 253 and newer; older ones ignore the line) ...
OpenFile=/run/systemd/notify:notify:graceful
# ... else by the program systemd-notify, another process than the main one.`;
  const program =
    '# tsched speaks to systemd by the program systemd-notify, another process than the main one.';
  return `Type=notify\n${ofUser ? program : descriptor}\nNotifyAccess=all`;
}

const life = `ExecReload=/bin/kill -HUP $MAINPID
# Fed by the loop that starts jobs.
WatchdogSec=60s
# tsched asks for more while it waits for jobs, as long as --drain (TSCHED_DRAIN) allows.
TimeoutStopSec=90s
# tsched ends its jobs itself, each as its on_shutdown says. With any other mode systemd would kill those that are to be
# left, and after a crash of the daemon those that the next one takes up.
KillMode=process
SyslogIdentifier=tsched
Restart=on-failure
RestartSec=2s
# Wrong options, no job file, not allowed, a bad job file: that is for a person to mend.
RestartPreventExitStatus=64 66 77 78
# A job that needs too much memory must not take the others with it.
OOMPolicy=continue`;

/** systemd sets HOME, USER and SHELL, which jobs expect, only where User= is set. */
function identity(runAs: string | undefined): string {
  const user = runAs === undefined ? 'User=root' : `User=${runAs}\nCapabilityBoundingSet=`;
  return `${user}
StateDirectory=tsched
StateDirectoryMode=0700
RuntimeDirectory=tsched
ConfigurationDirectory=tsched`;
}

const fence = `# Jobs live behind the same fence. A drop-in opens it: NoNewPrivileges=no for sudo, ProtectHome=no or ReadWritePaths=/home/me to
# write there, ProtectSystem=no to install packages, PrivateTmp=no to share /tmp, RestrictNamespaces=no for containers.
# Never MemoryDenyWriteExecute=yes, under which Node cannot start; ProtectClock=yes would take all devices from jobs.
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native`;

/** One word of a command line: `%` is systemd's own, and so is `$`, but not in the program's path. */
function word(text: string, kind: 'program' | 'argument' = 'argument'): string {
  const escaped = text.replaceAll('%', '%%');
  const literal = kind === 'program' ? escaped : escaped.replaceAll('$', '$$$$');
  return /^[\w%$./@:+,=-]+$/.test(text) ? literal : `"${literal.replaceAll(/["\\]/g, '\\$&')}"`;
}
