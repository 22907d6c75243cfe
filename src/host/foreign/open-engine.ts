import { unreachable } from '#model';
import type { Engine, EngineAnswer, EngineTerms } from '#model';
import { cedarEngine } from './cedar-engine.ts';
import { regoEngine } from './rego-engine.ts';
import { remoteOpa } from './remote-opa.ts';
import type { OpaSettings } from './fact-settings.ts';

/**
 * Opens an engine that a bundle describes. What only this machine knows, where an OPA answers and with which token, comes from the settings:
 * a bundle can name no address. An engine that cannot be opened gives no answers, and says why.
 */
export function openEngine(terms: EngineTerms, settings: Readonly<Record<string, OpaSettings>>): Engine {
  const { deadlineMs, breaker } = terms;
  switch (terms.engine) {
    case 'rego-wasm': {
      const { data, entrypoint, wasm } = terms;
      return regoEngine({ wasm: new Uint8Array(Buffer.from(wasm, 'base64')), data, entrypoint, deadlineMs, breaker });
    }
    case 'cedar':
      return cedarEngine({ policies: terms.policies, deadlineMs, breaker });
    case 'opa-remote': {
      const opa = Object.hasOwn(settings, terms.fact) ? settings[terms.fact] : undefined;
      if (opa === undefined) return silent(`facts.yaml of this gateway does not say where the OPA "${terms.fact}" answers`);
      return remoteOpa({ ...opa, deadlineMs, breaker });
    }
    default:
      return unreachable(terms);
  }
}

function silent(why: string): Engine {
  const answer: EngineAnswer = { ok: false, because: 'failed', why };
  return { ask: () => Promise.resolve(answer), ready: () => Promise.resolve(), close: () => Promise.resolve() };
}
