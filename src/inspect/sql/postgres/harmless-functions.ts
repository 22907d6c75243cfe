/**
 * Functions of pg_catalog that compute their result from their arguments, the clock, the session or the catalog's descriptions, and do
 * nothing else. A name that is not here (or in `dangerous-functions.ts`) makes a statement incomplete. Overloads share a name: a name is
 * here only when every overload is harmless.
 *
 * SPEC: PostgreSQL 18, chapter 9 and src/include/catalog/pg_proc.dat.
 */
const aggregates =
  'count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_agg_strict jsonb_agg_strict json_object_agg_strict ' +
  'json_object_agg_unique json_object_agg_unique_strict jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict xmlagg bool_and bool_or ' +
  'every bit_and bit_or bit_xor any_value range_agg range_intersect_agg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp ' +
  'regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy mode percentile_cont percentile_disc ' +
  'row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value';

const numbers =
  'abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm pi degrees radians sin sind cos cosd tan tand cot cotd asin asind ' +
  'acos acosd atan atand atan2 atan2d sinh cosh tanh asinh acosh atanh factorial width_bucket random random_normal numeric_inc scale min_scale trim_scale erf erfc gamma lgamma ' +
  'bit_count int2 int4 int8 float4 float8 numeric money oid cash_words to_hex to_bin to_oct generate_series isfinite';

const strings =
  'length char_length character_length octet_length bit_length lower upper initcap casefold concat concat_ws format left right lpad rpad ltrim rtrim btrim ' +
  'substr substring position strpos overlay replace reverse repeat split_part translate ascii chr quote_ident quote_literal quote_nullable starts_with to_char to_number ' +
  'md5 sha224 sha256 sha384 sha512 crc32 crc32c encode decode convert convert_from convert_to get_bit get_byte set_bit set_byte unistr normalize is_normalized ' +
  'unicode_assigned regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_count regexp_instr regexp_like regexp_substr ' +
  'string_to_array string_to_table array_to_string parse_ident like notlike like_escape similar_escape similar_to_escape text varchar bpchar char name textcat ' +
  'bytea hashtext hashtextextended to_ascii to_regclass to_regproc to_regprocedure to_regtype to_regtypemod to_regrole to_regnamespace to_regoper to_regoperator to_regcollation ' +
  'gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version pg_client_encoding pg_char_to_encoding pg_encoding_to_char inet_client_addr inet_client_port';

const dates =
  'now clock_timestamp statement_timestamp transaction_timestamp timeofday age date_part date_trunc ' +
  'date_bin date_add date_subtract extract make_date make_time make_timestamp make_timestamptz make_interval justify_days justify_hours justify_interval to_date ' +
  'to_timestamp timezone date timestamp timestamptz time timetz interval overlaps pg_postmaster_start_time pg_conf_load_time';

const documents =
  'to_json to_jsonb row_to_json array_to_json json_build_array json_build_object jsonb_build_array jsonb_build_object json_object jsonb_object json_array_length ' +
  'jsonb_array_length json_each jsonb_each json_each_text jsonb_each_text json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text ' +
  'json_object_keys jsonb_object_keys json_populate_record jsonb_populate_record json_populate_recordset jsonb_populate_recordset json_array_elements jsonb_array_elements ' +
  'json_array_elements_text jsonb_array_elements_text json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset json_strip_nulls jsonb_strip_nulls jsonb_set ' +
  'jsonb_set_lax jsonb_insert jsonb_pretty jsonb_concat jsonb_delete json_typeof jsonb_typeof jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first ' +
  'jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_tz jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_exists jsonb_exists_any jsonb_exists_all ' +
  'xmlcomment xmlexists xml_is_well_formed xml_is_well_formed_document xml_is_well_formed_content xpath xpath_exists xmlvalidate xml xmltext';

const collections =
  'array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse ' +
  'array_sample array_shuffle array_sort array_upper cardinality trim_array unnest generate_subscripts isempty lower_inc upper_inc lower_inf upper_inf range_merge multirange ' +
  'int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange ' +
  'enum_first enum_last enum_range num_nonnulls num_nulls ' +
  'area center diameter height width radius isclosed isopen npoints pclose popen slope box circle line lseg path point polygon bound_box diagonal ' +
  'abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen macaddr8_set7bit cidr macaddr macaddr8 ' +
  'to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline ts_delete ts_filter setweight strip numnode querytree ' +
  'tsquery_phrase tsvector_to_array array_to_tsvector json_to_tsvector jsonb_to_tsvector get_current_ts_config ts_debug ts_lexize ts_parse ts_token_type ts_match_vq system bernoulli';

const descriptions =
  'version current_user session_user current_schema current_schemas current_database current_query current_setting pg_backend_pid pg_typeof pg_basetype ' +
  'col_description obj_description shobj_description format_type pg_get_expr pg_get_viewdef pg_get_indexdef pg_get_constraintdef pg_get_functiondef pg_get_function_arguments ' +
  'pg_get_function_identity_arguments pg_get_function_result pg_get_function_arg_default pg_get_function_sqlbody pg_get_triggerdef pg_get_ruledef pg_get_partkeydef pg_get_partition_constraintdef ' +
  'pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_userbyid pg_get_serial_sequence pg_get_keywords pg_get_catalog_foreign_keys ' +
  'pg_get_replica_identity_index pg_get_publication_tables pg_get_object_address pg_identify_object pg_identify_object_as_address pg_describe_object pg_get_acl acldefault aclexplode makeaclitem aclitemin ' +
  'pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_operator_is_visible pg_opclass_is_visible pg_opfamily_is_visible pg_conversion_is_visible pg_collation_is_visible ' +
  'pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_statistics_obj_is_visible pg_my_temp_schema pg_is_other_temp_schema ' +
  'has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_largeobject_privilege has_parameter_privilege ' +
  'has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege pg_has_role row_security_active ' +
  'pg_relation_size pg_table_size pg_total_relation_size pg_indexes_size pg_database_size pg_tablespace_size pg_size_pretty pg_size_bytes pg_column_size pg_column_compression pg_column_toast_chunk_id ' +
  'pg_relation_filenode pg_relation_filepath pg_filenode_relation pg_relation_is_publishable pg_relation_is_updatable pg_column_is_updatable pg_tablespace_location pg_tablespace_databases ' +
  'pg_partition_tree pg_partition_ancestors pg_partition_root pg_index_column_has_property pg_index_has_property pg_indexam_has_property pg_options_to_table pg_collation_for pg_collation_actual_version ' +
  'pg_database_collation_actual_version pg_encoding_max_length pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp ' +
  'pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_wal_lsn_diff pg_walfile_name pg_walfile_name_offset pg_lsn pg_current_snapshot pg_current_xact_id_if_assigned txid_current_if_assigned ' +
  'txid_current_snapshot txid_snapshot_xmin txid_snapshot_xmax txid_status pg_xact_status pg_xact_commit_timestamp pg_snapshot_xmin pg_snapshot_xmax pg_snapshot_xip pg_visible_in_snapshot mxid_age ' +
  'pg_jit_available pg_numa_available pg_trigger_depth pg_input_is_valid pg_input_error_info pg_settings_get_flags pg_timezone_names pg_timezone_abbrevs_zone pg_timezone_abbrevs_abbrevs pg_split_walfile_name pg_notification_queue_usage pg_available_extensions ' +
  'pg_available_extension_versions pg_extension_update_paths pg_get_loaded_modules pg_show_all_settings pg_sequence_last_value pg_sequence_parameters pg_event_trigger_ddl_commands currval lastval ' +
  'pg_stat_get_ins_since_vacuum pg_stat_get_mod_since_analyze pg_stat_get_last_analyze_time pg_stat_get_last_autoanalyze_time pg_stat_get_last_vacuum_time pg_stat_get_last_autovacuum_time ' +
  'pg_stat_get_numscans pg_stat_get_lastscan pg_stat_get_tuples_returned pg_stat_get_tuples_fetched pg_stat_get_tuples_inserted pg_stat_get_tuples_updated pg_stat_get_tuples_deleted ' +
  'pg_stat_get_live_tuples pg_stat_get_dead_tuples pg_stat_get_blocks_fetched pg_stat_get_blocks_hit pg_stat_get_snapshot_timestamp regclass ' +
  'getdatabaseencoding textlike texteq int4eq oideq booleq bool icu_unicode_version unicode_version';

export const harmlessFunctions: ReadonlySet<string> = new Set(
  [aggregates, numbers, strings, dates, documents, collections, descriptions].flatMap((list) => list.split(' ')),
);
