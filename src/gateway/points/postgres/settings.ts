import { Fault } from '#model';

/** Settings that newer targets report and that decide what names mean. */
export const resolvingSettings = new Set(['search_path', 'session_authorization', 'is_superuser']);

/** EVASION: in another encoding, or with backslashes in plain strings, the target would read another statement than the inspector did. */
export function checkSetting(name: string, value: string): void {
  const bad = (name === 'client_encoding' && value !== 'UTF8') || (name === 'standard_conforming_strings' && value !== 'on');
  if (bad)
    throw new Fault('PROTOCOL_UNSUPPORTED', `the setting ${name} was changed to "${value}", with which statements cannot be inspected`);
}
