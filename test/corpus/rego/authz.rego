package sql.authz

import rego.v1

default allow := false

allow if "dba" in input.context.groups

allow if {
	input.operation == "select"
	not touches_secret
}

touches_secret if {
	some table in input.tables
	startswith(table, "secret.")
}

reason := sprintf("%s may not %s %v", [input.context.principal, input.operation, input.tables]) if not allow

owner := data.owners[input.tables[0]]
