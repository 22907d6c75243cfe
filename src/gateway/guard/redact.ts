import { redactText } from '#inspect';
import type { Detector } from '#model';
import type { CellFilter } from '../point.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Replaces what the detectors find inside text and counts it in `masked`, per detector. Bytes that are not UTF-8 are withheld. */
export function redactFilter(detectors: readonly Detector[], masked: Record<string, number>): CellFilter {
  return (cell) => {
    let text: string;
    try {
      text = decoder.decode(cell);
    } catch {
      // What cannot be read cannot be checked.
      count(masked, 'undecodable', 1);
      return null;
    }
    const { text: redacted, found } = redactText(text, detectors);
    if (redacted === text) return cell;
    for (const [detector, times] of Object.entries(found)) count(masked, detector, times);
    return encoder.encode(redacted);
  };
}

/** Adds to a counter that may not be there yet. */
export function count(counters: Record<string, number>, name: string, times: number): void {
  counters[name] = (counters[name] ?? 0) + times;
}
