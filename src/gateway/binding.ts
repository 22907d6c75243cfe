import { createHash } from 'node:crypto';
import { canonicalJson, type Operation, type Session } from '#model';

/**
 * SHA-256 hex over everything that makes an operation what it is: who, where, in which session, the exact text, the parameters and the
 * namespace. An approval is bound to it, so another literal, another session or another database needs another approval.
 */
export function bindingOf(session: Session, operation: Operation): string {
  const { subject, resource } = session;
  return createHash('sha256')
    .update('binding/v1\n')
    .update(
      canonicalJson({
        subject: subject.id,
        onBehalfOf: subject.onBehalfOf?.id,
        resource: resource.id,
        session: session.id,
        target: operation.target,
        text: operation.text.isWellFormed() ? operation.text : operation.text.toWellFormed(),
        parameters: operation.parameters,
        namespace: operation.namespace,
      }),
    )
    .digest('hex');
}
