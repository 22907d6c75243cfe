# What a policy must not do while it is asked: its host offers no network, and refuses it when it is loaded.
package abroad

import rego.v1

status := http.send({"method": "get", "url": input.url}).status_code
