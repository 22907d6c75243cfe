import { Fault, type World } from '#model';
import { type PostgresOptions, type RunningPostgres, startPostgres } from '../embedded-postgres/start.ts';
import { Backoff } from './backoff.ts';

/** An embedded PostgreSQL that is kept running. Its socket stays where it was, so its users only have to connect again. */
export class SupervisedPostgres {
  readonly #options: PostgresOptions;
  readonly #backoff: Backoff;
  readonly #onDeath: (inMs: number) => void;
  #server: RunningPostgres | undefined;
  #starting: Promise<unknown> | undefined;
  #stopping = false;

  constructor(options: PostgresOptions, parts: { readonly world: World; readonly onDeath: (inMs: number) => void }) {
    this.#options = options;
    this.#backoff = new Backoff(parts.world);
    this.#onDeath = parts.onDeath;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** Resolves when queries work. Rejects as `startPostgres` does. */
  async start(): Promise<RunningPostgres> {
    const starting = startPostgres(this.#options);
    this.#starting = starting;
    const server = await starting;
    this.#server = server;
    if (this.#stopping) throw new Fault('SHUTTING_DOWN', 'PostgreSQL was stopped while it started');
    this.#backoff.serving();
    void server.exited.then(() => this.#died(server));
    return server;
  }

  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    this.#stopping = true;
    this.#backoff.cancel();
    // A start in between is over in a moment; only then is there something to stop.
    await this.#starting?.catch(() => {});
    await this.#server?.stop(mode);
  }

  #died(server: RunningPostgres): void {
    if (this.#stopping || this.#server !== server) return;
    this.#server = undefined;
    this.#again();
  }

  #again(): void {
    const inMs = this.#backoff.schedule(() => {
      if (this.#stopping) return;
      this.start().catch(() => this.#again());
    });
    this.#onDeath(inMs);
  }
}
