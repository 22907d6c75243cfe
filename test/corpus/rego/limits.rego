# What people ask of manifests in a pipeline.
package main

import rego.v1

deny contains msg if {
	input.kind == "Deployment"
	some c in input.spec.template.spec.containers
	not c.resources.limits
	msg := sprintf("container %s has no limits", [c.name])
}
