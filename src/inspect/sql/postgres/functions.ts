import { dangerousFunctions } from './dangerous-functions.ts';
import { harmlessFunctions } from './harmless-functions.ts';

/** What calling a built-in function does, beyond computing its result from its arguments. */
export interface FunctionMeaning {
  /** Effects of a call; empty for a harmless one. `undefined`: not in any table, so nobody knows. */
  readonly effects: readonly string[] | undefined;
  /** Where the result comes from: the arguments, nothing that was stored (`none`), or something else (`unknown`). */
  readonly result: 'arguments' | 'none' | 'unknown';
}

const notKnown: FunctionMeaning = { effects: undefined, result: 'unknown' };
const harmless: FunctionMeaning = { effects: [], result: 'arguments' };

/** Looks up a function of pg_catalog by its folded name. */
export function meaningOf(name: string): FunctionMeaning {
  const dangerous = dangerousFunctions.get(name);
  if (dangerous !== undefined) return { effects: dangerous, result: 'unknown' };
  for (const [prefix, effect] of dangerousPrefixes) if (name.startsWith(prefix)) return { effects: [effect], result: 'unknown' };
  return harmlessFunctions.has(name) ? harmless : notKnown;
}

/** Families whose every member has the effect, also members of later versions. */
const dangerousPrefixes: readonly (readonly [string, string])[] = [
  ['dblink', 'network'],
  ['postgres_fdw_', 'network'],
  ['lo_', 'write.large_object'],
  ['pg_logical_', 'server.control'],
  ['pg_replication_', 'server.control'],
  ['pg_create_', 'server.control'],
  ['pg_drop_replication', 'server.control'],
  ['pg_copy_', 'server.control'],
  ['pg_wal_replay_', 'server.control'],
  ['pg_stat_reset', 'server.control'],
  ['pg_restore_', 'server.control'],
  ['pg_clear_', 'server.control'],
  ['binary_upgrade_', 'server.control'],
  ['pg_read_', 'read.file'],
  ['pg_ls_', 'read.file'],
  ['pg_file_', 'write.file'],
  ['pg_sleep', 'wait'],
  ['pg_stat_statements', 'read.catalog.sensitive'],
];

const informationSchemaFunctions: ReadonlySet<string> = new Set(
  (
    '_pg_expandarray _pg_index_position _pg_truetypid _pg_truetypmod _pg_char_max_length _pg_char_octet_length _pg_numeric_precision _pg_numeric_precision_radix ' +
    '_pg_numeric_scale _pg_datetime_precision _pg_interval_type'
  ).split(' '),
);

/** Helpers of the server's own information schema, which JDBC drivers call by name. */
export function isInformationSchemaFunction(names: readonly string[]): boolean {
  return names.length === 2 && names[0] === 'information_schema' && informationSchemaFunctions.has(names[1] ?? '');
}

/** Aggregates that only count: their result reveals no value of a plain column. */
export const countingFunctions: ReadonlySet<string> = new Set(['count', 'regr_count']);

/** Window functions without arguments of the row: positions, not values. `ntile` takes a number. */
export const rankingFunctions: ReadonlySet<string> = new Set(['row_number', 'rank', 'dense_rank', 'percent_rank', 'cume_dist', 'ntile']);

/** Aggregates whose arguments are many rows' values folded into one. */
export const aggregateFunctions: ReadonlySet<string> = new Set(
  (
    'count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_agg_strict jsonb_agg_strict ' +
    'json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict jsonb_object_agg_strict jsonb_object_agg_unique ' +
    'jsonb_object_agg_unique_strict xmlagg bool_and bool_or every bit_and bit_or bit_xor any_value range_agg range_intersect_agg ' +
    'stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept ' +
    'regr_r2 regr_slope regr_sxx regr_sxy regr_syy mode percentile_cont percentile_disc'
  ).split(' '),
);

/** Functions that return as many rows as their arguments say. */
export const multiplyingFunctions: ReadonlySet<string> = new Set(
  (
    'generate_series generate_subscripts unnest string_to_table regexp_split_to_table regexp_matches json_array_elements jsonb_array_elements ' +
    'json_array_elements_text jsonb_array_elements_text json_each jsonb_each json_each_text jsonb_each_text json_object_keys jsonb_object_keys ' +
    'jsonb_path_query jsonb_path_query_tz json_to_recordset jsonb_to_recordset json_populate_recordset jsonb_populate_recordset ts_debug ts_parse'
  ).split(' '),
);

/** Functions whose columns have names of their own, whatever the alias, and these names. */
export const rowFunctions: ReadonlyMap<string, readonly string[]> = new Map([
  ['json_each', ['key', 'value']],
  ['jsonb_each', ['key', 'value']],
  ['json_each_text', ['key', 'value']],
  ['jsonb_each_text', ['key', 'value']],
  ['pg_options_to_table', ['option_name', 'option_value']],
  ['_pg_expandarray', ['x', 'n']],
  ['aclexplode', ['grantor', 'grantee', 'privilege_type', 'is_grantable']],
  ['pg_get_keywords', ['word', 'catcode', 'barelabel', 'catdesc', 'baredesc']],
  ['pg_timezone_names', ['name', 'abbrev', 'utc_offset', 'is_dst']],
  ['json_array_elements', ['value']],
  ['jsonb_array_elements', ['value']],
  ['json_array_elements_text', ['value']],
  ['jsonb_array_elements_text', ['value']],
  ['pg_partition_ancestors', ['relid']],
  ['pg_partition_tree', ['relid', 'parentrelid', 'isleaf', 'level']],
  ['pg_identify_object', ['type', 'schema', 'name', 'identity']],
  ['pg_input_error_info', ['message', 'detail', 'hint', 'sql_error_code']],
]);

/** Functions whose columns come from a definition list, from a type or from the argument: nobody can count them here. */
export const shapelessFunctions: ReadonlySet<string> = new Set([
  'json_to_record',
  'jsonb_to_record',
  'json_to_recordset',
  'jsonb_to_recordset',
  'json_populate_record',
  'jsonb_populate_record',
  'json_populate_recordset',
  'jsonb_populate_recordset',
  'unnest',
  'ts_stat',
  'ts_debug',
  'ts_parse',
  'ts_token_type',
  'pg_get_object_address',
  'pg_identify_object_as_address',
  'pg_show_all_settings',
  'pg_lock_status',
  'pg_available_extensions',
  'pg_available_extension_versions',
  'pg_get_publication_tables',
  'pg_get_multixact_members',
  'pg_control_system',
  'pg_control_init',
  'pg_extension_update_paths',
  'pg_get_catalog_foreign_keys',
  'pg_get_loaded_modules',
  'pg_event_trigger_ddl_commands',
  'pg_split_walfile_name',
  'pg_timezone_abbrevs_zone',
  'pg_timezone_abbrevs_abbrevs',
  'pg_walfile_name_offset',
  'pg_sequence_parameters',
  'pg_get_sequence_data',
  'pg_mcv_list_items',
]);
