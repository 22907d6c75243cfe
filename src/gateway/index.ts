/**
 * The gateway enforces: points speak protocols, one pipeline decides, holds, records, releases, guards and settles.
 *
 * Invariants: no byte of an operation goes upstream without a permit; every fault ends in a refusal; nothing is shared between sessions.
 * Deliberately not here: governing (control plane), understanding texts (`inspect`), deciding (`policy`), durability (`ledger`).
 */
export { runGateway, type GatewayConfig, type RunningGateway } from './gateway.ts';
export type { Log } from './log.ts';
export type * from './point.ts';
