/** How a program that runs another one is asked to: where the other one stands among its arguments. */
export interface Wrapper {
  /** Options that take the next word as their value. */
  readonly valued: readonly string[];
  /** Words before the program: a duration, a user, a root. */
  readonly skip?: number;
  /** `NAME=value` before the program. */
  readonly assignments?: true;
}

/** Programs whose arguments are a program and its arguments. */
export const wrappers: ReadonlyMap<string, Wrapper> = new Map<string, Wrapper>([
  ['sudo', { valued: ['-u', '-g', '-h', '-p', '-C', '-T', '-r', '-t', '-D', '-R', '-U'], assignments: true }],
  ['doas', { valued: ['-u', '-C', '-a'] }],
  ['env', { valued: ['-u', '-C', '--unset', '--chdir'], assignments: true }],
  ['nice', { valued: ['-n', '--adjustment'] }],
  ['ionice', { valued: ['-c', '-n', '-p', '-P', '-u'] }],
  ['nohup', { valued: [] }],
  ['setsid', { valued: [] }],
  ['stdbuf', { valued: ['-i', '-o', '-e'] }],
  ['timeout', { valued: ['-s', '-k', '--signal', '--kill-after'], skip: 1 }],
  ['time', { valued: ['-f', '-o'] }],
  ['command', { valued: [] }],
  ['builtin', { valued: [] }],
  ['exec', { valued: ['-a'] }],
  [
    'xargs',
    { valued: ['-I', '-n', '-P', '-L', '-d', '-E', '-s', '-a', '--max-args', '--max-procs', '--delimiter', '--arg-file', '--replace'] },
  ],
  ['chroot', { valued: [], skip: 1 }],
  ['strace', { valued: ['-e', '-o', '-p', '-s', '-u', '-E'] }],
  ['watch', { valued: ['-n', '--interval'] }],
  ['busybox', { valued: [] }],
  ['toybox', { valued: [] }],
]);

/** Shells: with `-c` they run a text. */
export const shells: ReadonlySet<string> = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'mksh', 'ash', 'fish', 'rbash']);

/** Programs that run code of their own language, or other programs in ways that nobody can read off their arguments. */
export const openEnded: ReadonlySet<string> = new Set(
  (
    'awk gawk mawk nawk perl python python2 python3 ruby node php lua tclsh expect sed vi vim nvim view ed ex emacs nano less more man most tar rsync scp sftp ssh git make cmake ' +
    'docker podman nerdctl kubectl helm tmux screen script gdb at batch crontab systemd-run su runuser machinectl nsenter unshare flatpak snap pip npm npx go cargo socat nc ncat ' +
    'netcat telnet ftp lftp curl wget openssl psql mysql sqlite3 redis-cli mongosh ansible ansible-playbook parallel dpkg rpm apt apt-get yum dnf zypper source . trap enable hash'
  ).split(' '),
);

/** Variables that change which programs run, or make programs run others. */
export const tellingVariables =
  /^(PATH|IFS|ENV|BASH_ENV|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|CDPATH|GLOBIGNORE|LD_.*|DYLD_.*|GIT_.*|PAGER|LESSOPEN|LESSCLOSE|MANPAGER|EDITOR|VISUAL|BROWSER|PERL5.*|PYTHON.*|RUBY.*|NODE_OPTIONS|GCONV_PATH|SYSTEMD_.*)$/;

/** Folders whose programs are the ones their names say. */
export const programFolders: ReadonlySet<string> = new Set(['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin']);
