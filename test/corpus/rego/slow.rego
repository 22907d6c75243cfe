# Policies that take too long, or too much memory: what a host must be able to end.
package slow

import rego.v1

spin if {
	some a in input.list
	some b in input.list
	some c in input.list
	some d in input.list
	d == "nobody"
}

big := count([pair | some x in input.list; some y in input.list; pair := concat("", [x, y])])
