/**
 * The machine Warder runs on: clock and randomness, the embedded PostgreSQL, folders and locks, the supervisor of the processes, the demo.
 *
 * Invariants: imports nothing but the model; what is costly to load is loaded when it is used.
 * Deliberately not here: anything that decides, records or speaks a protocol.
 */
export { realWorld } from './world.ts';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './embedded-postgres/start.ts';
export { socketFolder } from './embedded-postgres/socket-folder.ts';
export type {
  ControlConfig,
  ControlReady,
  DatabaseConfig,
  GatewayConfig,
  GatewayReady,
  LedgerName,
  RunControl,
  RunGateway,
  Running,
} from './configuration.ts';
