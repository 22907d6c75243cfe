/** The commands, in the order in which `warder help` shows them. */
import type { Define } from '../program.ts';
import { account } from './account.ts';
import { answer } from './answer.ts';
import { apply } from './apply.ts';
import { audit } from './audit.ts';
import { control } from './control.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { exportSession } from './export.ts';
import { gateway } from './gateway.ts';
import { ledger } from './ledger.ts';
import { login } from './login.ts';
import { policy } from './policy.ts';
import { psql } from './psql.ts';
import { replay } from './replay.ts';
import { requests } from './requests.ts';
import { resource } from './resource.ts';
import { resources } from './resources.ts';
import { retention } from './retention.ts';
import { sessions } from './sessions.ts';
import { signer } from './signer.ts';
import { sink } from './sink.ts';
import { terminate } from './terminate.ts';
import { token } from './token.ts';
import { tokens } from './tokens.ts';
import { up } from './up.ts';
import { version } from './version.ts';

export const commands: readonly Define[] = [
  up,
  psql,
  login,
  token,
  tokens,
  account,
  apply,
  resources,
  resource,
  requests,
  answer,
  sessions,
  replay,
  exportSession,
  explain,
  audit,
  terminate,
  policy,
  ledger,
  retention,
  sink,
  doctor,
  control,
  gateway,
  signer,
  version,
];
