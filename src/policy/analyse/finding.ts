import { limits } from '#model';
import type { DecisionRequest } from '#model';
import { compareText, problemAt } from '../problem.ts';
import type { Edit, Place, Problem } from '../problem.ts';

/** Something the analysis found out about rules that compile. */
export interface Finding extends Problem {
  /** The rules it is about, `policy/rule`, the one to change first; empty where it is about another document. */
  readonly rules: readonly string[];
  /**
   * `records`: recorded decisions show it. `witness`: deciding `witness` with the bundle shows it. `document`: the text of the documents shows it. `unproven`: concluded, but no
   * request was found that shows it; never an error.
   */
  readonly proof: 'witness' | 'document' | 'records' | 'unproven';
  readonly witness?: DecisionRequest;
}

export interface Observation {
  readonly code: string;
  readonly severity: Problem['severity'];
  readonly place: Place;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The edit that mends it, where there is only one. */
  readonly fix?: Edit | undefined;
  readonly rules: readonly string[];
  /** A request that shows it; `document` where the text alone does, `records` where recorded decisions do. Undefined: none was found. */
  readonly proof: DecisionRequest | 'document' | 'records' | undefined;
}

/** Collects findings, at most so many of one code that a person can still read them. */
export class Report {
  readonly #findings: Finding[] = [];
  readonly #counts = new Map<string, number>();

  add({ place, proof, rules, ...complaint }: Observation): void {
    const count = (this.#counts.get(complaint.code) ?? 0) + 1;
    this.#counts.set(complaint.code, count);
    if (count > limits.analysisFindingsPerCodeMax) return;
    if (proof === undefined) {
      const severity = complaint.severity === 'error' ? 'warning' : complaint.severity;
      const message = `${complaint.message} (unproven: no request was found that shows it)`;
      this.#findings.push({ ...problemAt(place, { ...complaint, severity, message }), rules, proof: 'unproven' });
    } else if (proof === 'document' || proof === 'records') this.#findings.push({ ...problemAt(place, complaint), rules, proof });
    else this.#findings.push({ ...problemAt(place, complaint), rules, proof: 'witness', witness: proof });
  }

  /** Whether an error about the rule was added already. */
  hasError(rule: string): boolean {
    return this.#findings.some(({ severity, rules }) => severity === 'error' && rules.includes(rule));
  }

  /** Says what was left out, so that silence is never taken for a clean bill. */
  cut(message: string, place: Place): void {
    this.#findings.push({ ...problemAt(place, { code: 'ANALYSIS_CUT', severity: 'info', message }), rules: [], proof: 'document' });
  }

  /** All findings in reading order. */
  close(place: Place | undefined): readonly Finding[] {
    for (const [code, count] of this.#counts) {
      const left = count - limits.analysisFindingsPerCodeMax;
      if (left > 0 && place !== undefined) this.cut(`${left} more findings ${code} are not shown`, place);
    }
    return this.#findings.sort(
      (a, b) =>
        compareText(a.path, b.path) ||
        a.line - b.line ||
        a.column - b.column ||
        compareText(a.code, b.code) ||
        compareText(a.message, b.message),
    );
  }
}
