/**
 * Relations of the server itself that show data of users, what others are doing, or credentials. Everything else in
 * pg_catalog and information_schema only describes.
 */
const sensitive: ReadonlySet<string> = new Set(
  (
    'pg_stats pg_statistic pg_stats_ext pg_stats_ext_exprs pg_statistic_ext_data pg_stat_activity pg_stat_statements pg_stat_statements_info pg_stat_replication ' +
    'pg_stat_subscription pg_stat_wal_receiver pg_stat_ssl pg_stat_gssapi pg_stat_progress_copy pg_prepared_statements pg_cursors pg_prepared_xacts pg_locks ' +
    'pg_shadow pg_authid pg_auth_members_raw pg_user_mapping pg_user_mappings pg_foreign_server_options pg_largeobject pg_largeobject_metadata pg_subscription ' +
    'pg_hba_file_rules pg_ident_file_mappings pg_file_settings pg_config pg_backend_memory_contexts pg_shmem_allocations pg_shmem_allocations_numa pg_aios ' +
    'pg_replication_slots pg_replication_origin_status pg_db_role_setting user_mapping_options user_mappings pg_buffercache pg_dist_authinfo'
  ).split(' '),
);

/** The class of a relation in the server's own schemas; `undefined` when it is not one of them. */
export function systemClass(schema: string | undefined, name: string): 'plain' | 'sensitive' | undefined {
  if (schema === undefined) {
    // pg_catalog is searched before every schema of the path (temporary tables aside), so these names are its own.
    if (!name.startsWith('pg_')) return undefined;
  } else if (!isSystemSchema(schema)) {
    // An extension's view keeps its meaning in whatever schema it was installed.
    return name.startsWith('pg_stat_statements') || name === 'pg_buffercache' ? 'sensitive' : undefined;
  }
  // TOAST tables hold the bytes of users' long values.
  return schema === 'pg_toast' || sensitive.has(name) ? 'sensitive' : 'plain';
}

export function isSystemSchema(schema: string): boolean {
  return schema === 'pg_catalog' || schema === 'information_schema' || schema === 'pg_toast';
}
