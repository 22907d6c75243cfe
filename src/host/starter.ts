import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';

const lookMs = 500;

/**
 * Calls `gone` when whoever started this program has ended without telling us: the stub (it holds the other end of a descriptor), or npm
 * (a signal to npm ends npm and its shell, and would leave us behind). Nothing else counts: who starts Warder from a shell and logs out,
 * or from an init system, wants it to go on.
 */
export function followStarter(gone: () => void): void {
  const descriptor = process.env['WARDER_LEASH'];
  delete process.env['WARDER_LEASH'];
  if (descriptor !== undefined) {
    const leash = new Socket({ fd: Number(descriptor), readable: true, writable: false });
    leash.on('error', () => {});
    leash.once('close', gone);
    leash.resume();
    leash.unref();
  }
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const starters = ancestorsUpToNpm();
  if (starters.length === 0) return;
  const timer = setInterval(() => {
    if (starters.every(({ pid, started }) => statOf(pid)?.started === started)) return;
    clearInterval(timer);
    gone();
  }, lookMs);
  timer.unref();
}

interface Ancestor {
  readonly pid: number;
  /** Clock ticks since boot: a reused pid has another one. */
  readonly started: string;
}

/** The processes between us and npm, npm included: the stub, npm's shell, npm. Empty when there is no npm above us. */
function ancestorsUpToNpm(): readonly Ancestor[] {
  const found: Ancestor[] = [];
  const depthMax = 5;
  for (let pid = process.ppid; pid > 1 && found.length < depthMax; ) {
    const stat = statOf(pid);
    if (stat === undefined) return [];
    found.push({ pid, started: stat.started });
    if (stat.name.startsWith('npm ')) return found;
    pid = stat.parent;
  }
  return [];
}

/** SPEC: proc_pid_stat(5) — fields after the name in parentheses: state, ppid (4th), …, starttime (22nd). */
function statOf(pid: number): { readonly name: string; readonly parent: number; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only nobody has asked for its status yet.
    if (fields[0] === 'Z') return undefined;
    return { name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')), parent: Number(fields[1]), started: fields[19] ?? '' };
  } catch {
    return undefined; // It has ended.
  }
}
