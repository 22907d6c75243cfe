import swagger from '@fastify/swagger';
import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createJsonSchemaTransform, jsonSchemaTransformObject, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { Fault, limits } from '#model';
import type { Access } from './access.ts';
import { mayUse } from './access.ts';
import type { ApiDesk } from './desk.ts';
import { faultOf, problemOf } from './problem.ts';
import { accountRoutes } from './routes/accounts.ts';
import { auditRoutes } from './routes/audit.ts';
import { decisionRoutes } from './routes/decisions.ts';
import { identityRoutes } from './routes/identity.ts';
import { installationRoutes } from './routes/installation.ts';
import { policyRoutes } from './routes/policy.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { requestRoutes } from './routes/requests.ts';
import { resourceRoutes } from './routes/resources.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { sinkRoutes } from './routes/sinks.ts';
import { refuseUnstorable, refuseUnstorableUrl } from './storable.ts';

export interface ApiRoute {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
}

/** The HTTP API, not listening yet. `routes` names every route that exists, for those who check them. */
export async function buildApi(desk: ApiDesk): Promise<{ app: FastifyInstance; routes: readonly ApiRoute[] }> {
  const app = fastify({
    bodyLimit: limits.apiBodyBytesMax,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: 60_000,
    // Addresses that the router itself refuses never come to the error handler.
    frameworkErrors: (error, request, reply) => void answer(faultOf(error), request, reply),
  });
  const routes: ApiRoute[] = [];
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => {
    const fault = faultOf(error);
    if (fault.status >= 500)
      desk.log.error({ request: request.id, url: request.routeOptions.url, error: describe(error) }, 'a request failed');
    return answer(fault, request, reply);
  });
  app.setNotFoundHandler((request, reply) =>
    answer(new Fault('NOT_FOUND', `there is no ${request.method} ${pathOf(request)}`), request, reply),
  );
  acceptEmptyBodies(app);
  app.decorateRequest('caller', undefined);
  app.addHook('onRoute', ({ method, url, config }) => {
    const access = config?.access;
    // INVARIANT: a route that does not say who may use it and what it records does not exist.
    if (access === undefined) throw new Fault('INTERNAL', `route ${String(method)} ${url} declares neither roles nor audit`);
    routes.push({ method: String(method), url, access });
  });
  app.addHook('onRequest', async (request) => {
    refuseUnstorableUrl(request.url);
    const access = request.routeOptions.config.access;
    // No access: nothing was found for this URL, and the not-found handler says so.
    if (access === undefined || access.roles === 'public') return;
    const caller = await desk.authenticator.authenticate(bearerOf(request));
    if (!mayUse(access, caller.subject.roles)) {
      throw new Fault('FORBIDDEN', `this needs one of the roles ${access.roles === 'any' ? '' : access.roles.join(', ')}`);
    }
    request.caller = caller;
  });
  app.addHook('preValidation', async (request) => refuseUnstorable(request.body));
  await app.register(swagger, { openapi: openapiHead, transform: describeRoute, transformObject: jsonSchemaTransformObject });
  await app.register(
    async (scope) => {
      const api = scope.withTypeProvider<ZodTypeProvider>();
      for (const add of [
        installationRoutes,
        resourceRoutes,
        accountRoutes,
        identityRoutes,
        sessionRoutes,
        recordingRoutes,
        decisionRoutes,
        requestRoutes,
        policyRoutes,
        auditRoutes,
        sinkRoutes,
      ])
        add(api, desk);
    },
    { prefix: '/api/v1' },
  );
  await app.ready();
  return { app, routes };
}

const openapiHead = {
  openapi: '3.1.0',
  info: {
    title: 'Warder control plane',
    version: '1',
    description: 'Errors are `application/problem+json` with a stable `code`. Lists are paged by cursor.',
  },
  components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
  security: [{ token: [] }],
};

const transformSchema = createJsonSchemaTransform({});

/** Adds to the description of a route who may use it and what it records. */
const describeRoute: typeof transformSchema = (route) => {
  const { schema, url } = transformSchema(route);
  const access = route.route.config?.access;
  if (access === undefined) return { schema, url };
  const open = access.roles === 'public' ? { security: [] } : {};
  return { schema: { ...schema, ...open, 'x-roles': access.roles, 'x-audit': access.audit }, url };
};

/** A POST without content may carry a JSON content type all the same. */
function acceptEmptyBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, String(body), done);
  });
}

function bearerOf(request: FastifyRequest): string {
  const header = request.headers.authorization;
  if (header === undefined) throw new Fault('UNAUTHENTICATED', 'this needs a token: Authorization: Bearer wdr_…');
  const [scheme, token, ...rest] = header.split(' ');
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || rest.length > 0) {
    throw new Fault('UNAUTHENTICATED', 'the Authorization header is not of the form Bearer TOKEN');
  }
  return token;
}

function answer(fault: Fault, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply
    .status(fault.status)
    .type('application/problem+json')
    .send(problemOf(fault, instanceOf(request)));
}

function instanceOf(request: FastifyRequest): string {
  return `${pathOf(request)}#${request.id}`;
}

/** Without the query: it may hold what does not belong into a log. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? request.url;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.stack ?? error.message}${cause}`;
}
