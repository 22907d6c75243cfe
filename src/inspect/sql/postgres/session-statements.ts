import type { TransactionCommand } from '../../inspection.ts';
import type { DetailContext, StatementResult } from './statements.ts';
import { bodyOf, tagOf } from './tree.ts';
import type { Body, Node } from './tree.ts';
import { noValue } from './values.ts';

/** Statements about the session: transactions and settings. `undefined`: not one of them. */
export function inspectSession(node: Node, context: DetailContext): StatementResult | undefined {
  const { findings } = context.analysis;
  switch (tagOf(node)) {
    case 'TransactionStmt': {
      const command = commands[bodyOf(node, 'TransactionStmt')?.kind ?? 'TRANS_STMT_BEGIN'];
      findings.transaction.push(command);
      // A prepared transaction outlives its session and keeps its locks, and anybody may end another's by name.
      if (command.includes('prepare')) findings.effect('transaction.prepared');
      return {};
    }
    case 'VariableSetStmt':
      settingUses(bodyOf(node, 'VariableSetStmt') ?? {}, context);
      return {};
    case 'VariableShowStmt': {
      const name = bodyOf(node, 'VariableShowStmt')?.name ?? '';
      const columns = name === 'all' ? ['name', 'setting', 'description'] : [name];
      return {
        rows: {
          columns: columns.map((column) => ({ name: column, value: name.includes('.') ? { lineage: 'unknown', sources: [] } : noValue })),
        },
      };
    }
    case 'DiscardStmt':
      if (bodyOf(node, 'DiscardStmt')?.target === 'DISCARD_ALL') {
        findings.settings.add('all');
        findings.effect('session.role');
      }
      return {};
    default:
      return undefined;
  }
}

const commands: Readonly<Record<NonNullable<Body<'TransactionStmt'>['kind']>, TransactionCommand>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback_to',
  TRANS_STMT_PREPARE: 'prepare_transaction',
  TRANS_STMT_COMMIT_PREPARED: 'commit_prepared',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback_prepared',
};

function settingUses(body: Body<'VariableSetStmt'>, context: DetailContext): void {
  const { findings } = context.analysis;
  if (body.kind === 'VAR_RESET_ALL') {
    findings.settings.add('all');
    findings.effect('session.role');
    return;
  }
  const name = (body.name ?? '').toLowerCase();
  if (body.kind === 'VAR_SET_MULTI') {
    // SET TRANSACTION and SET SESSION CHARACTERISTICS change how transactions run; a snapshot is the only other form.
    findings.effect('transaction');
    for (const argument of body.args ?? []) findings.settings.add((bodyOf(argument, 'DefElem')?.defname ?? name).toLowerCase());
    return;
  }
  findings.settings.add(name);
  if (name === 'role' || name === 'session_authorization') findings.effect('session.role');
}
