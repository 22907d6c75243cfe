import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { limits } from '#model';
import { secretReferencePattern } from './secret-reference.ts';
import { readSettings } from './settings-file.ts';

const absolute = z.string().refine(isAbsolute, 'write an absolute path');
const secret = z.string().regex(secretReferencePattern, 'a secret is given by reference: file:/absolute/path or env:NAME');
const minutes = z
  .int()
  .min(1)
  .max(24 * 60);

const fileAnchor = z.strictObject({ file: absolute });

const s3Anchor = z.strictObject({
  s3: z.strictObject({
    /** Of the store, without the bucket. */
    endpoint: z.url({ protocol: /^https?$/ }),
    region: z.string().min(1),
    bucket: z.string().min(1),
    prefix: z.string().default('warder/'),
    accessKeyId: secret,
    secretAccessKey: secret,
    /** How long nobody, not even the owner of the bucket, can remove what was kept. */
    retainDays: z.int().min(1).max(36_500).default(365),
    mode: z.enum(['COMPLIANCE', 'GOVERNANCE']).default('COMPLIANCE'),
    everyMinutes: minutes.default(5),
    ca: absolute.optional(),
  }),
});

const timeStampAnchor = z.strictObject({
  timeStamp: z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    /** Where the tokens are kept. */
    folder: absolute,
    /** PEM of the authorities that may have issued the certificate of the time stamper. */
    ca: absolute,
    everyMinutes: minutes.default(60),
  }),
});

const signer = z.strictObject({
  socket: absolute,
  refuseAfterMinutes: z
    .int()
    .min(1)
    .max(limits.signerSilenceMsMax / 60_000)
    .default(limits.signerSilenceMsMax / 60_000),
});

/** Where recordings are kept besides the gateways, and how large an export may be. */
const recordings = z.strictObject({
  /** `false`: large chunks lie on the gateway's disk only. */
  copies: z.boolean().default(true),
  bucket: z
    .strictObject({
      /** Of the store, without the bucket. */
      endpoint: z.url({ protocol: /^https?$/ }),
      region: z.string().min(1),
      bucket: z.string().min(1),
      prefix: z.string().default('warder/recordings/'),
      accessKeyId: secret,
      secretAccessKey: secret,
      ca: absolute.optional(),
    })
    .optional(),
  /** An export is written as it is read, so this bounds the file, not memory. */
  exportMegabytesMax: z.int().min(1).max(8_000_000).default(65_536),
});

const settings = z.strictObject({
  anchor: fileAnchor.optional(),
  anchors: z
    .array(z.union([fileAnchor, s3Anchor, timeStampAnchor]))
    .max(8)
    .default([]),
  /** Sockets of the processes that hold the keys of the logs. */
  signer: z.strictObject({ gateway: signer.optional(), control: signer.optional() }).default({}),
  recordings: recordings.prefault({}),
});

export type FileAnchorSettings = z.infer<typeof fileAnchor>;
export type S3AnchorSettings = z.infer<typeof s3Anchor>['s3'];
export type TimeStampSettings = z.infer<typeof timeStampAnchor>['timeStamp'];
export type AnchorSettings = z.infer<typeof settings>['anchors'][number];

export type RecordingSettings = z.infer<typeof recordings>;
export type RecordingBucketSettings = NonNullable<RecordingSettings['bucket']>;

export interface LedgerSettings {
  readonly anchors: readonly AnchorSettings[];
  readonly recordings: RecordingSettings;
  readonly signer: { readonly gateway?: SignerSocket; readonly control?: SignerSocket };
}

export interface SignerSocket {
  readonly socket: string;
  /** The log takes no more records after so long without a signature. */
  readonly refuseAfterMs: number;
}

/** What the file `ledger.yaml` of a home says; nothing when there is none. Throws CONFIG_INVALID. Format: docs/how-to/keep-evidence-elsewhere.md. */
export function readLedgerSettings(path: string): LedgerSettings {
  const read = readSettings({ path, guide: 'docs/how-to/keep-evidence-elsewhere.md' }, settings) ?? settings.parse({});
  const { gateway, control } = read.signer;
  return {
    anchors: [...(read.anchor === undefined ? [] : [read.anchor]), ...read.anchors],
    recordings: read.recordings,
    signer: {
      ...(gateway === undefined ? {} : { gateway: socketOf(gateway) }),
      ...(control === undefined ? {} : { control: socketOf(control) }),
    },
  };
}

function socketOf({ socket, refuseAfterMinutes }: z.infer<typeof signer>): SignerSocket {
  return { socket, refuseAfterMs: refuseAfterMinutes * 60_000 };
}
