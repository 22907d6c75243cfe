/** Functions of pg_catalog and of the usual extensions that do more than compute, by effect. */
const byEffect: Readonly<Record<string, string>> = {
  'read.file':
    'pg_read_file pg_read_binary_file pg_stat_file pg_ls_dir pg_current_logfile pg_show_all_file_settings pg_hba_file_rules pg_ident_file_mappings',
  'write.file': 'pg_file_write pg_file_unlink pg_file_rename pg_file_sync pg_logdir_ls',
  'write.large_object':
    'lo_import lo_export lo_create lo_creat lo_from_bytea lo_put lo_unlink lo_open lo_get lo_truncate loread lowrite lo_manage',
  'code.execute':
    'query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema table_to_xml table_to_xmlschema table_to_xml_and_xmlschema ' +
    'schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ' +
    'ts_stat ts_rewrite crosstab crosstabn connectby xpath_table currtid currtid2',
  'session.set': 'set_config setseed',
  'server.control':
    'pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_rotate_logfile_v2 pg_switch_wal pg_switch_xlog pg_promote pg_backup_start pg_backup_stop ' +
    'pg_start_backup pg_stop_backup pg_export_snapshot pg_log_backend_memory_contexts pg_get_process_memory_contexts pg_log_standby_snapshot pg_sync_replication_slots ' +
    'pg_extension_config_dump pg_import_system_collations pg_nextoid pg_stop_making_pinned_objects brin_summarize_new_values brin_summarize_range brin_desummarize_range ' +
    'gin_clean_pending_list pg_prewarm pg_buffercache_evict pg_buffercache_evict_all pg_buffercache_evict_relation pg_truncate_visibility_map pg_surgery heap_force_kill ' +
    'heap_force_freeze pg_stat_force_next_flush pg_stat_clear_snapshot pg_current_xact_id txid_current pg_stat_have_stats injection_points_attach',
  'write.sequence': 'nextval setval',
  'lock.advisory':
    'pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared ' +
    'pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared',
  notify: 'pg_notify',
  'read.catalog.sensitive':
    'pg_stat_get_activity pg_stat_get_backend_activity pg_stat_get_backend_client_addr pg_stat_get_progress_info pg_stat_get_wal_senders pg_stat_get_wal_receiver ' +
    'pg_stat_get_subscription pg_config pg_prepared_statement pg_cursor pg_prepared_xact pg_listening_channels pg_control_checkpoint pg_control_recovery pg_control_system ' +
    'pg_control_init pg_mcv_list_items pg_stats_ext_mcvlist_items pg_get_backend_memory_contexts pg_get_shmem_allocations pg_walinspect pg_get_wal_records_info ' +
    'pg_get_wal_record_info pg_get_wal_block_info get_raw_page heap_page_items heap_page_item_attrs bt_page_items bt_page_stats page_header tuple_data_split pgrowlocks ' +
    'pgstattuple pg_show_replication_origin_status pg_get_replication_slots pg_stat_get_replication_slot pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids ' +
    'pgp_sym_decrypt inet_server_addr inet_server_port pg_stat_get_backend_client_port',
  'code.call': 'plpgsql_call_handler plpgsql_inline_handler plpgsql_validator',
};

function index(): ReadonlyMap<string, readonly string[]> {
  const effects = new Map<string, readonly string[]>();
  for (const [effect, names] of Object.entries(byEffect)) for (const name of names.split(' ')) effects.set(name, [effect]);
  // Advisory locks are locks, and a policy on `lock` means them too.
  for (const [name, list] of effects) if (list[0] === 'lock.advisory') effects.set(name, ['lock', 'lock.advisory']);
  return effects;
}

export const dangerousFunctions: ReadonlyMap<string, readonly string[]> = index();
