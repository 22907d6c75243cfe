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
  Running,
} from './configuration.ts';
export { callApi, downloadApi, type ApiAddress, type ApiCall } from './api-client.ts';
export { type Endpoints, readEndpoints } from './endpoints.ts';
export { type Home, type HomePaths, homeAt, homePath, openHome, readJson, replaceFile, secretIn } from './home.ts';
export { portBaseMax } from './ports.ts';
export { lockHome } from './home-lock.ts';
export { type DemoAccount, demoAccounts, demoTokens } from './demo/accounts.ts';
export { type Installation, type InstallationEvents, type InstallationOptions, startInstallation } from './installation.ts';
export { type Delivered, deliveredBelow, type DeliveredLedger, writeDelivered } from './delivered.ts';
export { readRetention, retentionJudge, type RetentionRules } from './retention.ts';
export { readTrust, type Trust, trustedKeys } from './trust.ts';
export { serveProcess, type Serving } from './supervisor/child.ts';
export { followStarter } from './starter.ts';
export { compileOnOwnThread } from './own-thread.ts';
export { pause, until, within } from './world.ts';
export { parseAddress, standaloneControl, type StandaloneControl, standaloneGateway, type StandaloneGateway } from './standalone.ts';
export { readSecret, secretReferencePattern } from './secret-reference.ts';
export {
  type AnchorSettings,
  type LedgerSettings,
  readLedgerSettings,
  type S3AnchorSettings,
  type SignerSocket,
  type TimeStampSettings,
  type RecordingBucketSettings,
  type RecordingSettings,
} from './ledger-settings.ts';
export { sessionKeyCopies, sessionKeyCopy } from './session-key-copies.ts';
export { openEngine } from './foreign/open-engine.ts';
export { readOpaBundle } from './foreign/opa-bundle.ts';
export { regoEngine } from './foreign/rego-engine.ts';
export { remoteOpa } from './foreign/remote-opa.ts';
