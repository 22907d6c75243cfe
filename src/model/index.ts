/**
 * The nouns of Warder: what every other folder speaks about.
 *
 * Invariants: pure data and pure functions; imports nothing from another folder; no Node API, no clock, no I/O.
 * Deliberately not here: how anything is decided, enforced, stored or shown.
 */
export * from './canonical-json.ts';
export * from './decision.ts';
export * from './fact.ts';
export * from './faults.ts';
export * from './identifier.ts';
export * from './limits.ts';
export * from './link.ts';
export * from './obligation.ts';
export * from './operation.ts';
export * from './outcome.ts';
export * from './pruning.ts';
export * from './record.ts';
export * from './resource.ts';
export * from './session.ts';
export * from './sql.ts';
export * from './subject.ts';
export * from './unreachable.ts';
export * from './world.ts';
