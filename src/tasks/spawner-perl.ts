/**
 * The spawner where there is a perl, as on every Debian and Ubuntu: it speaks the reports and writes the records of
 * spawner-script.ts, and starts several times as many processes a second. It is told how a process ended where a shell has
 * to guess, so one supervisor can start and watch over all of a batch: one fork a process instead of two, and no text is
 * read byte by byte. What needs another user, a priority or limits goes through the shell programs here as well.
 *
 * Requests (stdin) are frames: their length in bytes, a line break, and texts with a NUL between them. The first frame is the
 * environment that processes inherit (perl itself is started without PERL5OPT and its like, which are for the jobs). The others
 * are batches: the ids, then for each request the number of its texts and these (see `begin`).
 *
 * A supervisor does nothing that could hang but for the files of the run, since it would hold up the rest of its batch; so that
 * there is no such directory or program is found by the process itself, and reported by N after S.
 */
import { MODULE_FILES, SHELL_LIMITS } from './spawner-script.ts';

/** Stands before a job's program: `sh -c WRAPPER name record limits wrapped program [argument…]`; `wrapped` is 1 where LAUNCHER follows. */
export const WRAPPER_SCRIPT = `
${SHELL_LIMITS}
exec 4>>"$1" || exit 127
trap 'printf "failed limits %s\\n" "$?" >&4; exit 127' EXIT
ts_base=\${1%.exit} ts_limits=$2 ts_wrapped=$3
shift 3
[ "$ts_wrapped" = 0 ] || printf 'failed wrapper\\n' >&4
while [ "$ts_limits" ]; do
  limit "\${ts_limits%%,*}" || exit 127
  ts_limits=\${ts_limits#*,}
done
trap - EXIT
if [ "$ts_wrapped" = 0 ]; then exec 4>&-; else ${MODULE_FILES}; fi
exec "$@"
`;

/** `perl -e 'eval $ENV{TSCHED_SPAWNER}' name`, with the other programs in TSCHED_LAUNCHER and TSCHED_WRAPPER. */
export const SPAWNER_PERL = `
use strict;
use Fcntl qw(F_SETFD FD_CLOEXEC O_APPEND O_CREAT O_EXCL O_RDWR O_WRONLY);
my ($launcher, $wrapper) = @ENV{qw(TSCHED_LAUNCHER TSCHED_WRAPPER)};

# Handlers, not IGNORE: exec takes them from the job's process, which before that obeys them itself.
# Who it is is asked of the system: a signal can come before the child's first line.
my @signals = qw(PIPE HUP INT QUIT TERM);
my $supervisor;
for my $name (@signals) {
  $SIG{$name} = sub { $SIG{$name} = 'DEFAULT', kill $name, $$ if $supervisor && $$ != $supervisor };
}
$SIG{CHLD} = 'IGNORE'; # no zombies

# What perl itself opens above 2 is closed on exec; what it was given is not.
my @outputs;
for my $descriptor (split / /, $ENV{TSCHED_OUTPUTS}) {
  open my $output, '>&=', $descriptor or die;
  fcntl $output, F_SETFD, FD_CLOEXEC;
  push @outputs, $output;
}
open my $requests, '<&', \\*STDIN or die;
open my $reports, '>&', \\*STDOUT or die;
my $input;
detach();

my $buffer = '';
%ENV = map { split /=/, $_, 2 } split /\\0/, frame() // exit;
delete $ENV{OLDPWD};
my %inherited = %ENV;
my %programs = map { ($_, find($_)) } qw(setpriv nice);
my $mask = umask 077;
my $said = "H\\n";
report();

my %running;
while (defined(my $batch = frame())) {
  my ($ids, $texts) = split /\\0/, $batch, 2;
  my $pid = branch();
  if (!defined $pid) {
    $said .= "N $_ fork\\n" for split / /, $ids;
  } elsif ($pid) {
    $said .= "A $pid $ids\\n";
  } else {
    supervise($texts);
    exit;
  }
  report();
}

# The next frame; undef when the daemon is gone.
sub frame {
  while (1) {
    my $end = index $buffer, "\\n";
    my $length = substr $buffer, 0, $end;
    if ($end > 0 && length $buffer > $end + $length) {
      substr $buffer, 0, $end + 1, '';
      return substr $buffer, 0, $length, '';
    }
    my $read = sysread $requests, $buffer, 65536, length $buffer;
    return undef if defined $read ? $read == 0 : $! != 4; # EINTR
  }
}

sub report {
  while ($said ne '') {
    my $length = syswrite $reports, $said;
    return $said = '' if !defined $length && $! != 4; # EINTR; else nobody listens
    substr $said, 0, $length // 0, '';
  }
}

# Nothing that outlives the daemon holds its output, or a job's, open.
sub detach {
  open STDIN, '<', '/dev/null';
  open STDOUT, '>', '/dev/null';
  open STDERR, '>', '/dev/null';
  $input = '/dev/null';
}

# Forks, and waits a little where the system refuses; undef if it still does.
sub branch {
  for my $pause (0.05, 0.2, 0.8, 0) {
    my $pid = fork;
    return $pid if defined $pid || !$pause;
    report();
    select undef, undef, undef, $pause;
  }
}

# As the spawner finds it: what runs before the job's user is taken on is not for the job's own PATH to choose.
sub find {
  my ($name) = @_;
  my ($path) = grep { -f && -x _ } map { "$_/$name" } split /:/, $ENV{PATH} // '/usr/bin:/bin';
  return $path;
}

sub supervise {
  my @texts = split /\\0/, $_[0], -1;
  $supervisor = $$;
  $SIG{CHLD} = 'DEFAULT';
  close $requests;
  while (@texts) {
    my $count = shift @texts;
    begin(splice @texts, 0, $count);
  }
  detach();
  close $_ for @outputs;
  report();
  while (%running) {
    my $pid = waitpid -1, 0;
    last if $pid == -1 && $! != 4; # EINTR
    for (; $pid > 0; $pid = waitpid -1, 1) { # WNOHANG
      ended($pid, $?);
    }
    report();
  }
}

sub refuse {
  my ($id, $record, $step) = @_;
  syswrite $record, "not_started $step\\n" if $record;
  $said .= "N $id $step\\n";
}

sub begin {
  my ($id, $wrapped, $mode, $umask, $nice, $user, $group, $limits, $cwd, $path, $log, $stdin, $variables, @argv) = @_;
  my @variables = splice @argv, 0, $variables;
  sysopen my $record, $path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600
    or return refuse($id, undef, -e $path ? 'fenced' : 'record');
  if ($wrapped) {
    my $assignments = shift @argv;
    unshift @argv, '/bin/sh', '-c', $launcher, 'tsched', $cwd, $mode, $assignments;
    if ($user ne '-') {
      my ($name, $uid, $gid, $home) = (getpwnam $user)[0, 2, 3, 7];
      ($name, $uid, $gid, $home) = (getpwuid $user)[0, 2, 3, 7] if !defined $name && $user =~ /^\\d+$/;
      return refuse($id, $record, 'user') if !defined $name;
      if ($group ne '-') {
        $gid = getgrnam $group;
        $gid = (getgrgid $group)[2] if !defined $gid && $group =~ /^\\d+$/;
        return refuse($id, $record, 'group') if !defined $gid;
      }
      return refuse($id, $record, 'setpriv') if !$programs{setpriv};
      unshift @argv, $programs{setpriv}, '--reuid', $uid, '--regid', $gid, '--init-groups', '--';
      push @variables, "HOME=$home", "USER=$name", "LOGNAME=$name";
    }
    unshift @argv, $programs{nice} || 'nice', '-n', $nice if $nice ne '-';
  }
  my $noted = $wrapped || $limits ne '';
  unshift @argv, '/bin/sh', '-c', $wrapper, 'tsched', $path, $limits, $wrapped if $noted;
  if (!$wrapped && $mode eq 'bare') {
    delete @ENV{grep { !/^(?:HOME|USER|LOGNAME)$/ } keys %ENV};
  }
  my %changed = map { split /=/, $_, 2 } @variables;
  $changed{PWD} //= $cwd if !$wrapped && $mode ne 'bare'; # as shells do
  @ENV{keys %changed} = values %changed;
  if (my $step = streams($log, $stdin)) {
    detach(); # whatever could not be opened is closed now
    refuse($id, $record, $step);
  } else {
    umask($umask eq '-' ? $mask : oct $umask);
    launch($id, $record, $noted, $wrapped ? '/' : $cwd, \\@argv);
    umask 077;
  }
  return %ENV = %inherited if $mode eq 'bare';
  for (keys %changed) {
    if (exists $inherited{$_}) { $ENV{$_} = $inherited{$_} } else { delete $ENV{$_} }
  }
}

# Gives what is started its streams, which are the supervisor's own for that long. The step that fails, if one does.
sub streams {
  my ($log, $stdin) = @_;
  my ($out, $err) = @outputs;
  if ($log ne '') {
    sysopen my $file, $log, O_WRONLY | O_CREAT | O_APPEND, 0600 or return 'output';
    $out = $err = $file;
  }
  open STDOUT, '>&', $out or return 'output';
  open STDERR, '>&', $err or return 'output';
  return '' if $stdin eq $input && $stdin eq '/dev/null';
  open STDIN, '<', $stdin or return 'stdin';
  $input = $stdin;
  return '';
}

sub launch {
  my ($id, $record, $noted, $cwd, $argv) = @_;
  my $pid = branch();
  return refuse($id, $record, 'fork') if !defined $pid;
  if (!$pid) {
    # A handler runs between two steps of perl's, which exec may leave it no time for.
    @SIG{@signals} = ('DEFAULT') x @signals;
    setpgrp 0, 0;
    # Not before the fork: what hangs, in a directory on a dead server, say, is to hang alone.
    my $step = chdir $cwd ? 'exec' : 'cwd';
    exec { $argv->[0] } @$argv if $step eq 'exec';
    syswrite $record, "failed $step $!\\n";
    exit 127;
  }
  setpgrp $pid, $pid; # whoever is told of it can signal the group
  syswrite $record, "started $pid\\n";
  $said .= "S $id $pid\\n";
  $running{$pid} = [$id, $record, $noted];
}

sub ended {
  my ($pid, $status) = @_;
  my ($id, $record, $noted) = @{delete $running{$pid} // return};
  my $answer = $status & 127 ? 'signalled ' . ($status & 127) : 'exited ' . ($status >> 8);
  if ($noted || $status >> 8 == 127) {
    # What was noted last, by the job's process before its exec or by the launcher, decides.
    sysseek $record, 0, 0;
    sysread $record, my $notes, 4096;
    my ($last) = grep { /^(?:failed|launched)/ } reverse split /\\n/, $notes;
    $answer = "not_started $1" if $last =~ /^failed (.*)/;
  }
  syswrite $record, "$answer\\n";
  $said .= $answer =~ /^not_started (.*)/ ? "N $id $1\\n" : "E $id $answer\\n";
}
`;
