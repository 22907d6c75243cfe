import type { Target } from '#model';

/** The words an attribute has. */
export interface Vocabulary {
  readonly words: readonly string[];
  /** There may be others that are not known here: only what looks like a slip is a mistake. */
  readonly open: boolean;
}

const split = (text: string): readonly string[] => text.trim().split(/\s+/);

/** SPEC: `SqlFacts.effects` of the model; the kinds of objects are those of PostgreSQL's grammar. */
const made = split(`
  access_method aggregate cast collation column conversion database default_privileges depends domain event_trigger extension foreign_data_wrapper
  foreign_table function index language large_object materialized_view operator operator_class operator_family owned parameter_acl policy
  procedure publication role routine rule schema security_label sequence server statistics subscription system table tablespace text_search
  transform trigger type user_mapping view comment cascade`);
const effects = [
  ...split(`read read.catalog read.catalog.sensitive read.file read.plan read.setting write.insert write.update write.delete write.merge
    write.catalog write.file write.large_object write.refresh write.sequence truncate privilege.grant privilege.revoke privilege.role
    privilege.owner session.set session.reset session.role transaction transaction.prepared copy.in copy.out copy.file copy.program code.call code.do code.execute
    code.load lock lock.advisory lock.row lock.table listen notify prepare cursor wait maintenance network server.control`),
  ...['create', 'drop', 'alter'].flatMap((verb) => made.map((object) => `${verb}.${object}`)),
  ...split(`alter.table.add_column alter.table.add_constraint alter.table.alter_column_type alter.table.change_owner alter.table.column_default
    alter.table.disable_row_security alter.table.enable_row_security alter.table.drop_column alter.table.drop_constraint
    alter.table.drop_not_null alter.table.rename alter.table.rename_column alter.table.set_not_null alter.table.set_schema
    alter.table.set_statistics alter.table.validate_constraint alter.table.tablespace alter.table.replica_identity alter.database.set
    alter.role.set alter.index.set_rel_options`),
];
const verbs =
  split(`select insert update delete merge truncate create alter drop grant revoke set reset show begin commit rollback savepoint release
  explain copy do call execute prepare deallocate declare fetch move close listen unlisten notify lock vacuum analyze reindex cluster checkpoint
  refresh comment discard import load security_label unknown start prepare_transaction commit_prepared rollback_prepared`);

const open = (text: string): Vocabulary => ({ words: split(text), open: true });
const closed = (text: string): Vocabulary => ({ words: split(text), open: false });
const sqlEffects: Vocabulary = { words: effects, open: true };
const sqlVerbs: Vocabulary = { words: verbs, open: true };

/** Attributes whose values are words of ours or of a standard. */
const everywhere: Readonly<Record<string, Vocabulary>> = {
  'context.certainty': closed('parsed partial opaque'),
  'subject.type': closed('user agent service'),
};
const http = {
  'http.method': open('GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE'),
  'http.scheme': open('http https ws wss'),
};
const byTarget: Readonly<Record<Target, Readonly<Record<string, Vocabulary>>>> = {
  sql: {
    'sql.effects': sqlEffects,
    'sql.verbs': sqlVerbs,
    'sql.statements.verb': sqlVerbs,
    'sql.statements.effects': sqlEffects,
    'sql.statements.relations.access': closed('read write ddl'),
    'sql.columns.role': open('lookup projected written copied group join aggregated predicate order'),
    'result.columns.lineage': closed('exact derived none unknown'),
    'resource.engine': open('postgres'),
  },
  ssh: {
    'ssh.action': closed('shell exec subsystem sftp forward.local forward.remote forward.agent forward.x11 env'),
    'ssh.operation': open(
      'open read write remove rename mkdir rmdir setstat fsetstat symlink readlink stat lstat opendir readdir realpath close',
    ),
  },
  http,
  egress: http,
  'k8s.api': {},
  'k8s.admission': {
    'request.operation': closed('CREATE UPDATE DELETE CONNECT'),
    'request.kind':
      open(`Pod Deployment StatefulSet DaemonSet Job CronJob ReplicaSet ReplicationController PodTemplate Service Ingress ConfigMap
      Secret Namespace Node PersistentVolume PersistentVolumeClaim ServiceAccount Role RoleBinding ClusterRole ClusterRoleBinding NetworkPolicy
      ResourceQuota LimitRange HorizontalPodAutoscaler PodDisruptionBudget CustomResourceDefinition StorageClass Eviction Binding`),
    'request.resource':
      open(`pods pods/exec pods/attach pods/portforward pods/ephemeralcontainers pods/eviction pods/log pods/status deployments
      deployments/scale statefulsets daemonsets jobs cronjobs replicasets replicationcontrollers podtemplates services ingresses configmaps secrets
      namespaces nodes persistentvolumes persistentvolumeclaims serviceaccounts roles rolebindings clusterroles clusterrolebindings
      networkpolicies resourcequotas limitranges horizontalpodautoscalers poddisruptionbudgets customresourcedefinitions storageclasses`),
  },
  tool: {
    'tool.tier': closed('read write destructive egress admin'),
    'tool.state': closed('pending approved drifted retired'),
  },
  llm: { 'llm.api': open('chat responses messages embeddings completions') },
  ci: { 'ci.actions': closed('create update delete read no-op') },
  warder: {
    'warder.action': open(
      'policy.push request.answer token.mint token.revoke session.terminate resource.change evidence.read recording.read recording.export',
    ),
    'warder.roles': open('requester reviewer operator auditor administrator policy-author'),
  },
};

/** The words an attribute of a target has; undefined where anything may be one. */
export function vocabularyOf(target: Target, path: string): Vocabulary | undefined {
  const own = byTarget[target];
  if (Object.hasOwn(own, path)) return own[path];
  return Object.hasOwn(everywhere, path) ? everywhere[path] : undefined;
}
