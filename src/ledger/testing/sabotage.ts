import { canonicalJson } from '#model';
import { composeEntry } from '../entry.ts';
import { withFiles, type PowerCutOptions } from './power-cuts.ts';

type Sabotage = Pick<PowerCutOptions, 'wrap' | 'machine' | 'verify'>;

/** A start that says nothing of one kind: something harmless stands in its place. */
function silent(kind: 'operation.indoubt' | 'session.lost'): Sabotage {
  return {
    verify: true,
    machine: {
      compose: (draft, stamp, position, evidence) =>
        composeEntry(draft.kind === kind ? { kind: 'log.heartbeat' } : draft, stamp, position, evidence),
    },
  };
}

/** Ways to break the writer from outside. A test of a law is worth nothing unless it turns red for the sabotage of that law. */
export const sabotages = {
  /** Syncs do nothing. */
  nosync: { wrap: (disk) => withFiles(disk, (file) => ({ ...file, sync: () => undefined })) },
  /** The write-ahead log is not synced, everything else is: signatures run ahead of what is durable. */
  'sign-beyond-durable': {
    wrap: (disk) => withFiles(disk, (file, path) => (path.endsWith('.wal') ? { ...file, sync: () => undefined } : file)),
  },
  /** Recordings are not synced before the record that names their chunk. */
  'record-before-chunk': {
    wrap: (disk) => withFiles(disk, (file, path) => (path.endsWith('.recording') ? { ...file, sync: () => undefined } : file)),
  },
  /** A sync takes effect only at the next one: the answer is given too early. */
  'ack-before-sync': {
    wrap: (disk) =>
      withFiles(disk, (file) => {
        let late = false;
        return {
          ...file,
          // The sync that was promised last time happens now, before the new bytes are there.
          write: (bytes, position) => {
            if (late) file.sync();
            late = false;
            return file.write(bytes, position);
          },
          sync: () => {
            late = true;
          },
        };
      }),
  },
  /** Nobody looks at how much was written: every 40th write loses its end. */
  'ignore-short-write': {
    wrap: (disk) => {
      let writes = 0;
      return withFiles(disk, (file) => ({
        ...file,
        write: (bytes, position) => {
          writes += 1;
          if (writes % 40 === 0) file.write(bytes.subarray(0, Math.floor(bytes.length / 2)), position);
          else file.write(bytes, position);
          return bytes.length;
        },
      }));
    },
  },
  /** Frames carry no checksum. */
  'no-crc': { machine: { checksum: () => 0 } },
  /** Names are never made durable. */
  'no-dir-fsync': {
    wrap: (disk) =>
      new Proxy(disk, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name, target);
          if (name === 'syncFolder') return () => undefined;
          return typeof member === 'function' ? member.bind(target) : member;
        },
      }),
  },
  /** Records do not link to the one before. */
  'skip-prev': {
    machine: {
      compose: (draft, stamp, position, evidence) => {
        const line: unknown = JSON.parse(composeEntry(draft, stamp, position, evidence).toString());
        return Buffer.from(canonicalJson({ ...Object(line), prev: '0'.repeat(64) }));
      },
    },
  },
  /** A start forgets the sessions that were cut off. */
  'forget-lost': silent('session.lost'),
  /** A start forgets the operations whose outcome was lost. */
  'forget-indoubt': silent('operation.indoubt'),
} as const satisfies Record<string, Sabotage>;

export type SabotageName = keyof typeof sabotages;

export function sabotaged(name: SabotageName): Sabotage {
  return sabotages[name];
}
