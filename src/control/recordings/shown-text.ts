import { redactText } from '#inspect';
import type { Detector, Obligation } from '#model';
import { labelMatches } from '#policy';

interface Text {
  readonly text: string;
  readonly parameters: readonly (string | null)[];
}

/** The labels by which rules select an exact text, and the values that came with it, for `mask`. */
const labels = { text: 'evidence.text', parameters: 'evidence.parameters' } as const;

/**
 * The exact text of an operation as a reader may see it. `redact` takes out what the detectors find; a `mask` of whatever strategy withholds what it selects:
 * of a statement no part is known to be harmless, and its normalized form is shown anyway. Undefined when it is withheld.
 */
export function shownText({ text, parameters }: Text, obligations: readonly Obligation[]): Text | undefined {
  const detectors = new Set<Detector>();
  const masked = new Set<string>();
  for (const obligation of obligations) {
    if (obligation.type === 'redact') for (const detector of obligation.select.text.detectors) detectors.add(detector);
    if (obligation.type !== 'mask' || obligation.with.strategy === 'none') continue;
    for (const label of Object.values(labels))
      if (obligation.select.columns.labels.some((glob) => labelMatches(glob, label))) masked.add(label);
  }
  if (masked.has(labels.text)) return undefined;
  const redacted = (value: string): string => (detectors.size === 0 ? value : redactText(value, [...detectors]).text);
  return {
    text: redacted(text),
    parameters: parameters.map((value) => (value === null ? null : masked.has(labels.parameters) ? withheld : redacted(value))),
  };
}

const withheld = '[withheld]';
