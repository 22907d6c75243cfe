import type { Define } from '../program.ts';

/** A file of commands; loaded only when one of them is called, or when all of them are listed. */
interface CommandFile {
  /** First words of the command lines that it serves. */
  readonly names: readonly string[];
  readonly load: () => Promise<Define>;
}

/** The commands, in the order in which `warder help` shows them. */
export const commandFiles: readonly CommandFile[] = [
  { names: ['up'], load: async () => (await import('./up.ts')).up },
  { names: ['psql'], load: async () => (await import('./psql.ts')).psql },
  { names: ['login', 'logout'], load: async () => (await import('./login.ts')).login },
  { names: ['token'], load: async () => (await import('./token.ts')).token },
  { names: ['tokens', 'revoke'], load: async () => (await import('./tokens.ts')).tokens },
  { names: ['account'], load: async () => (await import('./account.ts')).account },
  { names: ['apply'], load: async () => (await import('./apply.ts')).apply },
  { names: ['resources'], load: async () => (await import('./resources.ts')).resources },
  { names: ['resource'], load: async () => (await import('./resource.ts')).resource },
  { names: ['requests'], load: async () => (await import('./requests.ts')).requests },
  { names: ['approve', 'refuse'], load: async () => (await import('./answer.ts')).answer },
  { names: ['sessions'], load: async () => (await import('./sessions.ts')).sessions },
  { names: ['replay'], load: async () => (await import('./replay.ts')).replay },
  { names: ['export'], load: async () => (await import('./export.ts')).exportSession },
  { names: ['explain'], load: async () => (await import('./explain.ts')).explain },
  { names: ['audit'], load: async () => (await import('./audit.ts')).audit },
  { names: ['terminate'], load: async () => (await import('./terminate.ts')).terminate },
  { names: ['policy'], load: async () => (await import('./policy.ts')).policy },
  { names: ['ledger'], load: async () => (await import('./ledger.ts')).ledger },
  { names: ['retention'], load: async () => (await import('./retention.ts')).retention },
  { names: ['sink'], load: async () => (await import('./sink.ts')).sink },
  { names: ['doctor'], load: async () => (await import('./doctor.ts')).doctor },
  { names: ['control'], load: async () => (await import('./control.ts')).control },
  { names: ['gateway'], load: async () => (await import('./gateway.ts')).gateway },
  { names: ['signer'], load: async () => (await import('./signer.ts')).signer },
  { names: ['version'], load: async () => (await import('./version.ts')).version },
];
