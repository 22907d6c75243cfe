import { form } from '../shape.ts';

/** Forms of text that several kinds share. */
export const nameForm = form('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', 'a name: lower-case letters, digits and "-", at most 63');
/** Names that CEL reads as `data.name`, `vars.name`. */
export const identifierForm = form('^[a-z][a-z0-9_]{0,62}$', 'an identifier: lower-case letters, digits and "_"');
/** The name of a fact that another engine makes, as rules write it: `facts.foreign.name`. */
export const factNameForm = form('^[a-z][A-Za-z0-9]{0,62}$', 'the name of a fact such as oldSqlRules: letters and digits');
export const ruleIdForm = form('^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$', 'a rule id such as policy-name/rule-id');
export const ownerForm = form('^(team|user|group):[a-zA-Z0-9._-]+$', 'an owner such as team:data-platform');
export const personForm = form('^(user|svc|service):[a-zA-Z0-9._@-]+$', 'a person such as user:dana');
export const reasonForm = form('^[A-Z][A-Z0-9_]{2,63}$', 'a stable upper-case code such as DESTRUCTIVE_DDL');
export const attributeForm = form('^[a-z][A-Za-z0-9]*(\\.[A-Za-z][A-Za-z0-9_]*)*$', 'an attribute path such as resource.env');
export const packForm = form('^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*$', 'the folder of a pack such as kubernetes/baseline');
export const versionForm = form('^\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$', 'a version such as 1.4.0, in quotes');
export const digestForm = form('^sha256:[0-9a-f]{64}$', 'a digest: sha256: and 64 hex digits');
export const obligationTypeForm = form('^[a-z][a-zA-Z_]{1,31}$', 'an obligation type such as mask or approval');
