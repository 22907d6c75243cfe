package sql.authz

default allow = false
