import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { asFault, Fault } from '#model';
import { storeFault } from '../store/database.ts';

/** SPEC: RFC 9457. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
  readonly instance: string;
  readonly problems?: unknown[];
}

/** What a client is told about a fault. Of what was not expected it learns nothing but the id to look for in the log. */
export function problemOf(fault: Fault, instance: string): Problem {
  const problems = fault.detail['problems'];
  return {
    type: `urn:warder:fault:${fault.code.toLowerCase().replaceAll('_', '-')}`,
    title: fault.code.toLowerCase().replaceAll('_', ' '),
    status: fault.status,
    code: fault.code,
    detail: fault.code === 'INTERNAL' ? 'the control plane failed' : fault.message,
    remedy: fault.remedy,
    instance,
    ...(Array.isArray(problems) ? { problems } : {}),
  };
}

/** The fault behind anything that fastify, the validation or a handler threw. */
export function faultOf(thrown: unknown): Fault {
  const error = storeFault(thrown);
  if (error instanceof Fault) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [issue] = error.validation;
    const path = issue?.instancePath.replace(/\/$/, '').replaceAll('/', '.') ?? '';
    const where = `${error.validationContext ?? 'request'}${path}`;
    return new Fault('INVALID_INPUT', `${where}: ${issue?.message ?? 'is wrong'}`);
  }
  if (error instanceof Error && 'statusCode' in error) {
    // Every error with a status code is fastify's own.
    const { statusCode, message } = error as FastifyError;
    if (statusCode === 413) return new Fault('MESSAGE_TOO_LARGE', message.toLowerCase());
    if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Fault('INVALID_INPUT', message.toLowerCase());
  }
  return asFault(error);
}
