import type { FastifyRequest } from 'fastify';
import { Fault } from '#model';
import type { Caller } from '../identity/authenticate.ts';

/** The caller of a route that is not public; the server's hook has put it there. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === undefined) throw new Fault('UNAUTHENTICATED', 'this needs a token');
  return request.caller;
}
