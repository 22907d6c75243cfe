/**
 * The PostgreSQL enforcement point: speaks protocol 3.0 to clients as a server and to targets as a client, decides every statement before
 * the target sees it, and rewrites results. See README.md for what it sees and what it cannot see.
 *
 * Invariants: nothing reaches the target before the client has proved who it is and the statement's permit is spent; a batch is sent as a
 * whole or not at all; no row is shown except through its guard; whatever cannot be followed ends the connection.
 * Deliberately not here: deciding, recording, holding and masking rules (the pipeline), and understanding SQL (`#inspect`).
 */
import type { Point } from '../../point.ts';
import { listen } from './adapter.ts';
import { pointName } from './login.ts';
import { propose } from './propose.ts';
import { test } from './probe.ts';

export const postgres: Point = { name: pointName, listen, survey: { test, propose } };
