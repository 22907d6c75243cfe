/**
 * Operators of pg_catalog and of the usual extensions. Any other symbol is a function of whoever made it.
 *
 * SPEC: PostgreSQL 18, src/include/catalog/pg_operator.dat; pg_trgm, hstore, ltree, intarray, cube, vector, PostGIS.
 */
const builtIn =
  '+ - * / % ^ || = <> != < > <= >= ~ !~ ~* !~* ~~ !~~ ~~* !~~* ^@ & | # << >> && @> <@ @@ @@@ @? ? ?| ?& -> ->> #> #>> #- @ !! |/ ||/ ## <-> ' +
  '&< &> <<| |>> &<| |&> -|- ?# ?- ?-| ?|| ~= *= *<> *< *> *<= *>= ~<~ ~<=~ ~>=~ ~>~ <^ >^ <<= >>= @-@';

const ofExtensions =
  '<% %> <<% %>> <<-> <->> <<<-> <->>> #= %% %# ?@ ?~ @@@ ~> ^<@ ^@> ^~ ^@ <#> <=> <+> <~> <%> <<#>> <<->> |=| ~== &&& @<< @>>';

const known: ReadonlySet<string> = new Set([builtIn, ofExtensions].flatMap((list) => list.split(' ')));

/** Whether an operator only computes, as far as its symbol tells. */
export function isKnownOperator(symbol: string): boolean {
  // BETWEEN, NOT BETWEEN and their like are words of the grammar.
  return known.has(symbol) || /^[A-Z]/.test(symbol);
}
