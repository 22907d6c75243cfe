import type { Detector } from '#model';
import type { Cursor } from '../cursor.ts';
import type { ObligationSpec, RuleDraft } from '../draft.ts';
import { documentName, identifier } from '../name.ts';
import { detectorByEntity } from './vocabulary.ts';

/** A mask rule of the relay: entities are found in free text, columns are known by name. */
export function maskRule(rule: Cursor, position: number): RuleDraft | undefined {
  rule.only('name', 'entities', 'columns', 'strategy', 'keep_last', 'keep_first', 'mask_char', 'replacement');
  for (const key of ['keep_first', 'mask_char', 'replacement']) {
    if (rule.at(key).exists)
      rule.at(key).unsupported('what is put in place of a value is not a choice here', 'strategies: redact, partial, hash, drop');
  }
  const strategy = rule.at('strategy').text() ?? 'redact';
  const obligations: ObligationSpec[] = [];
  const detectors = detectorsOf(rule.at('entities'));
  if (detectors.length > 0) {
    obligations.push({ type: 'redact', select: { text: { detectors } } });
    if (strategy !== 'redact') {
      rule
        .at('strategy')
        .hint(
          `what detectors find in text is replaced as a whole, not by "${strategy}": stricter than the original`,
          'label the columns, and mask them by label with the strategy partial or hash',
        );
    }
  }
  for (const column of rule.at('columns').items()) {
    const name = column.text();
    if (name === undefined) continue;
    const label = `imported.${identifier(name)}`;
    column.hint(
      `columns are masked by label, never by the name a query gives them: "${name}" became the label ${label}`,
      `give the columns meant the label ${label} in the classification of the resource; without it nothing is masked`,
    );
    obligations.push({ type: 'mask', select: { columns: { labels: [label] } }, with: strategyOf(rule, strategy) });
  }
  if (obligations.length === 0) return undefined;
  return { id: documentName(rule.at('name').text() ?? `mask-${position}`), effect: 'transform', onError: 'deny', obligations };
}

function strategyOf(rule: Cursor, strategy: string): Extract<ObligationSpec, { type: 'mask' }>['with'] {
  if (strategy === 'hash') return { strategy: 'hash' };
  if (strategy === 'partial') {
    const keep = rule.at('keep_last').plain();
    if (keep === 4 || keep === undefined) return { strategy: 'partial', keep: 'last4' };
    rule.at('keep_last').hint('only the last four characters can be kept; these columns are redacted, which is stricter');
  } else if (strategy !== 'redact' && strategy !== 'mask') {
    rule
      .at('strategy')
      .unsupported(`the strategy "${strategy}" is not known; these columns are redacted`, 'strategies: redact, mask, partial, hash');
  }
  return { strategy: 'redact' };
}

/** A data masking rule of the gateway: groups of entity types, and own patterns. */
export function gatewayMasking(root: Cursor): RuleDraft | undefined {
  root.only(
    'id',
    'name',
    'description',
    'supported_entity_types',
    'custom_entity_types',
    'score_threshold',
    'connection_ids',
    'attributes',
    'updated_at',
  );
  const detectors = new Set<Detector>();
  for (const group of root.at('supported_entity_types').items()) {
    group.only('name', 'entity_types');
    for (const detector of detectorsOf(group.at('entity_types'))) detectors.add(detector);
  }
  for (const custom of root.at('custom_entity_types').items()) {
    custom.unsupported(
      `the entity "${custom.at('name').text() ?? ''}" has a pattern of its own; detectors are built in`,
      'label the columns that hold it, and mask them by label',
    );
  }
  if (root.at('score_threshold').exists) root.at('score_threshold').info('detectors here say yes or no; there is no score to compare');
  if (detectors.size === 0) return undefined;
  return {
    id: 'redact-entities',
    effect: 'transform',
    onError: 'deny',
    obligations: [{ type: 'redact', select: { text: { detectors: [...detectors] } } }],
  };
}

function detectorsOf(entities: Cursor): Detector[] {
  const found = new Set<Detector>();
  for (const item of entities.items()) {
    const entity = (item.text() ?? '').toUpperCase();
    const detector = detectorByEntity[entity];
    if (detector === undefined)
      item.unsupported(`nothing here finds ${entity}`, `entities that are found: ${Object.keys(detectorByEntity).join(', ')}`);
    else found.add(detector);
  }
  return [...found];
}
