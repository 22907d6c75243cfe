import { readFileSync } from 'node:fs';
import { Fault } from '#model';
import { callApi } from '../api-client.ts';
import type { Installation } from '../installation.ts';

export const demoAccounts = ['engineer', 'reviewer', 'auditor'] as const;
export type DemoAccount = (typeof demoAccounts)[number];

/** A fresh token for each demo account, minted through the API as the operator; tokens of earlier starts stay good until they expire. */
export async function demoTokens(installation: Installation): Promise<Readonly<Record<DemoAccount, { readonly token: string }>>> {
  const address = { base: installation.endpoints.api, token: readFileSync(installation.home.operatorTokenFile, 'utf8').trim() };
  const mint = async (subject: DemoAccount): Promise<{ token: string }> => {
    const answer = await callApi(address, { method: 'POST', path: '/tokens', body: { subject } });
    if (typeof answer !== 'object' || answer === null || !('token' in answer) || typeof answer.token !== 'string') {
      throw new Fault('INTERNAL', `the control plane gave no token for ${subject}`);
    }
    return { token: answer.token };
  };
  const [engineer, reviewer, auditor] = await Promise.all([mint('engineer'), mint('reviewer'), mint('auditor')]);
  return { engineer, reviewer, auditor };
}
