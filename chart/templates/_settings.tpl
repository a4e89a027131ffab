{{/*
The settings that flags, values and annotations pass on as they are, in the order of the agent's table: flag -> kind.
A test holds them to drainer/settings.py.
*/}}
{{- define "drainer.settings" -}}
- {flag: port, kind: port}
- {flag: app-reserve, kind: duration}
- {flag: timeout, kind: optional}
- {flag: settle, kind: duration}
- {flag: readiness, kind: words, words: [auto, now, after, never]}
- {flag: max-remaining, kind: count}
- {flag: flush, kind: duration}
- {flag: close, kind: close}
- {flag: close-code, kind: code}
- {flag: close-reason, kind: reason}
- {flag: patience, kind: duration}
- {flag: straggler-time, kind: auto}
- {flag: escalate-after, kind: positive}
- {flag: close-rate, kind: rate}
- {flag: notify-url, kind: url}
- {flag: notify-mode, kind: words, words: [batch, announce]}
- {flag: notify-remote, kind: words, words: ["true", "false"]}
- {flag: websocket-ports, kind: ports}
- {flag: websocket-unproven, kind: words, words: ["true", "false"]}
- {flag: ignore-peers, kind: networks}
- {flag: idle-after, kind: optional}
- {flag: min-age, kind: duration}
- {flag: interval, kind: positive}
- {flag: max-connections, kind: limit}
- {flag: resume-below, kind: auto-limit}
- {flag: max-rate, kind: rate}
- {flag: full, kind: words, words: [auto, label, readiness, metric]}
- {flag: never-last, kind: words, words: ["true", "false"]}
- {flag: health, kind: words, words: ["off", handshake, ping, echo]}
- {flag: health-port, kind: port}
- {flag: health-path, kind: target-path}
- {flag: health-host, kind: host-field}
- {flag: health-origin, kind: origin}
- {flag: health-subprotocols, kind: subprotocols}
- {flag: health-headers, kind: fields}
- {flag: health-tls, kind: words, words: ["true", "false"]}
- {flag: health-interval, kind: positive}
- {flag: health-latency, kind: positive}
- {flag: health-misses, kind: some-count}
- {flag: health-max-connections, kind: limit}
- {flag: health-max-memory, kind: memory}
- {flag: health-max-cpu, kind: cores}
- {flag: health-max-descriptors, kind: limit}
- {flag: usage, kind: words, words: ["off", auto, processes, metrics]}
- {flag: usage-interval, kind: positive}
- {flag: callers, kind: words, words: [known, all]}
- {flag: trusted-sources, kind: networks}
- {flag: token, kind: secret}
- {flag: kubernetes, kind: words, words: [auto, "on", "off"]}
- {flag: restart-timeout, kind: positive}
- {flag: serving-label, kind: words, words: ["true", "false"]}
- {flag: readiness-gate, kind: words, words: ["true", "false"]}
- {flag: condition, kind: words, words: ["true", "false"]}
- {flag: events, kind: words, words: ["true", "false"]}
- {flag: deletion-cost, kind: words, words: ["true", "false"]}
- {flag: page, kind: words, words: ["true", "false"]}
- {flag: log-level, kind: words, words: [debug, info, warning, error]}
- {flag: log-format, kind: words, words: [json, text]}
{{- end }}

{{/*
How the values of a kind are written: `allowed` in words, and a CEL expression about the text v, which is not empty.
The agent's own check (drainer/kinds.py) is the exact one. This one lets everything pass that the agent takes and people
write, and keeps from a pod what would end the agent at its start. (CEL ends && at the first that is false.)
*/}}
{{- define "drainer.kinds" -}}
{{- $length := "v.matches('^([0-9]{1,9}([.][0-9]+)?ms|[0-9]{1,6}([.][0-9]+)?[smh]?)$') && duration(v.matches('[smh]$') ? v : v + 's') <= duration('168h')" -}}
{{- $positive := printf "%s && duration(v.matches('[smh]$') ? v : v + 's') >= duration('10ms')" $length -}}
{{- $ports := "v.findAll('[0-9]+').all(n, size(n) <= 5 && int(n) >= 1 && int(n) <= 65535) && v.findAll('[0-9]+-[0-9]+').all(r, int(r.split('-')[0]) <= int(r.split('-')[1]))" -}}
grace:
  allowed: whole seconds, like 60 or 60s, or 2m, 1h
  holds: >-
    v.matches('^[1-9][0-9]{0,4}[smh]?$') && duration(v.matches('[smh]$') ? v : v + 's') <= duration('168h')
some-ports:
  allowed: 1 to 256 ports and ranges from 1 to 65535, like 8080 or 8080,9000-9010
  holds: >-
    v.matches('^[,[:space:]]*[0-9]+(-[0-9]+)?([,[:space:]]+[0-9]+(-[0-9]+)?)*[,[:space:]]*$') && {{ $ports }}
ports:
  allowed: up to 256 ports and ranges from 1 to 65535; or nothing
  holds: >-
    v.matches('^[,[:space:]]*[0-9]+(-[0-9]+)?([,[:space:]]+[0-9]+(-[0-9]+)?)*[,[:space:]]*$') && {{ $ports }}
port:
  allowed: a port from 1 to 65535
  holds: >-
    v.matches('^[0-9]{1,5}$') && int(v) >= 1 && int(v) <= 65535
duration:
  allowed: a length of time up to 168h, like 30s, 2m, 500ms, or a number of seconds
  holds: >-
    {{ $length }}
positive:
  allowed: a length of time of 10ms to 168h, like 30s, 2m, 500ms, or a number of seconds
  holds: >-
    {{ $positive }}
optional:
  allowed: off, or a length of time of 10ms to 168h, like 30s, 2m, 500ms
  holds: >-
    v == 'off' || ({{ $positive }})
auto:
  allowed: auto, or a length of time of 10ms to 168h, like 30s, 2m, 500ms
  holds: >-
    v == 'auto' || ({{ $positive }})
count:
  allowed: a whole number from 0 to 1000000
  holds: >-
    v.matches('^[0-9]{1,7}$') && int(v) <= 1000000
limit:
  allowed: off, or a whole number from 1 to 1000000
  holds: >-
    v == 'off' || (v.matches('^[0-9]{1,7}$') && int(v) >= 1 && int(v) <= 1000000)
auto-limit:
  allowed: auto, or a whole number from 1 to 1000000
  holds: >-
    v == 'auto' || (v.matches('^[0-9]{1,7}$') && int(v) >= 1 && int(v) <= 1000000)
some-count:
  allowed: a whole number from 1 to 1000000
  holds: >-
    v.matches('^[0-9]{1,7}$') && int(v) >= 1 && int(v) <= 1000000
target-path:
  allowed: a path that begins with /, with or without a query, in printable ASCII without blanks
  holds: >-
    v.matches('^/[!"$-~]*$')
host-field:
  allowed: a host name or address, with or without a port; or nothing
  holds: >-
    v.matches('^([A-Za-z0-9._~%-]+|[[][0-9A-Fa-f:.]+[]])(:[0-9]{1,5})?$')
origin:
  allowed: an origin like https://chat.example, in printable ASCII without blanks; or nothing
  holds: >-
    v.matches('^[!-~]+$')
subprotocols:
  allowed: names of subprotocols, like v2.chat,v1.chat, each once; or nothing
  holds: >-
    v.matches('^[,[:space:]]*[!#$%&*+.^_|~0-9A-Za-z-]+([,[:space:]]+[!#$%&*+.^_|~0-9A-Za-z-]+)*[,[:space:]]*$')
    && [v.findAll('[^,[:space:]]+')].all(names, names.all(n, names.filter(m, m == n).size() == 1))
fields:
  allowed: "lines like `Authorization: Bearer abc` in printable ASCII, 8192 bytes in all, without the fields of the handshake itself; or nothing"
  holds: >-
    v.matches('^([ \\t]*([!#$%&*+.^_|~0-9A-Za-z-]+:[ -~]*)?[\\r\\n]*)*$') && size(v) <= 8192
    && !v.matches('(?im)^[ \\t]*(host|origin|connection|upgrade|content-length|transfer-encoding|sec-websocket-[^:]*):')
memory:
  allowed: off, or bytes as Kubernetes writes them, like 512Mi or 1.5Gi, at least 1Mi
  holds: >-
    v.matches('^(off|[0-9]{1,15}([.][0-9]{1,9})?[MGT]i?|[0-9]{4,15}([.][0-9]{1,9})?(k|Ki)|[0-9]{7,19})$') && v.matches('[1-9o]')
cores:
  allowed: off, or cores as Kubernetes writes them, like 1.5 or 500m, at least 1m
  holds: >-
    v.matches('^(off|[0-9]{1,6}([.][0-9]{1,3})?|[0-9]{1,9}m)$') && v.matches('[1-9o]')
amounts:
  allowed: some of cpu, memory and ephemeral-storage, each once, with quantities as Kubernetes writes them, at least 1m of cpu and 1Mi of the others, like cpu=50m,memory=64Mi; 0 takes one out
  holds: >-
    v.findAll('[^,[:space:]]+').all(e,
      e.matches('^cpu=([0-9]{1,6}([.][0-9]{1,3})?|[0-9]{1,9}m)$')
      || e.matches('^(memory|ephemeral-storage)=(0|[0-9]{1,15}([.][0-9]{1,9})?[MGT]i?|[0-9]{4,15}([.][0-9]{1,9})?(k|Ki)|[0-9]{7,19})$'))
    && v.matches('=') && ['cpu=', 'memory=', 'ephemeral-storage='].all(n, size(v.findAll(n)) <= 1)
close:
  allowed: some of notify, websocket, shutdown, reset in the order wished, each once, reset last; or nothing
  holds: >-
    v.matches('^[,[:space:]]*((notify|websocket|shutdown)([,[:space:]]+(notify|websocket|shutdown)){0,2}([,[:space:]]+reset)?|reset)[,[:space:]]*$')
    && ['notify', 'websocket', 'shutdown'].all(w, size(v.findAll(w)) <= 1)
code:
  allowed: 1001, 1012, or 4000 to 4999
  holds: >-
    v.matches('^(1001|1012|4[0-9]{3})$')
reason:
  allowed: UTF-8 of at most 123 bytes
  holds: >-
    size(bytes(v)) <= 123
rate:
  allowed: off, or connections per second from 0.001 to 999999
  holds: >-
    v.matches('^(off|[0-9]{1,6}([.][0-9]{1,3})?)$') && v.matches('[1-9o]')
url:
  allowed: an http:// URL without user and fragment
  holds: >-
    v.matches('^[Hh][Tt][Tt][Pp]://([[][^]/?@#[:space:]]+[]]|[^]/?@#:[:space:][]+)(:([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])?)?([/?][!"$-~]*)?$')
networks:
  allowed: up to 256 networks and addresses, like 10.0.0.0/8,fd00::/8,192.0.2.7 (no bits set beyond the prefix)
  holds: >-
    v.replace(' ', ',').split(',').all(n, n == '' || isIP(n) || (isCIDR(n) && cidr(n).masked() == cidr(n)))
secret:
  allowed: printable ASCII without blanks at the ends
  holds: >-
    v.matches('^[!-~]([ -~]*[!-~])?$')
{{- end }}

{{/* Fails where ports are none: (list NAME TEXT). What the policy puts in is not looked at again by anybody before the agent. */}}
{{- define "drainer.ports.check" -}}
{{- range regexFindAll "[0-9]+(-[0-9]+)?" (last . | toString) -1 -}}
{{- $ends := splitList "-" . -}}
{{- if or (lt (first $ends | int) 1) (gt (last $ends | int) 65535) (gt (first $ends | int) (last $ends | int)) -}}
{{- fail (printf "%s %q cannot be used: %s is no port and no range of ports; allowed: ports and ranges from 1 to 65535, like 8080 or 8080,9000-9010" (first $) (last $ | toString) .) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What was given for settings (flag -> value as YAML has it) -> flag: text. Fails for what is no setting. */}}
{{- define "drainer.settings.texts" -}}
{{- $known := dict -}}
{{- range include "drainer.settings" . | fromYamlArray }}{{ $_ := set $known .flag . }}{{ end -}}
{{- range $flag, $value := . -}}
{{- $setting := get $known $flag -}}
{{- if not $setting -}}
{{- fail (printf "drainer: settings.%s is not a setting; allowed: %s" $flag (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $text := toString $value -}}
{{- if kindIs "bool" $value -}}
{{- /* YAML reads a bare `on` or `off` as a truth value. */ -}}
{{- $text = has (toString $value) (default list $setting.words) | ternary (toString $value) (ternary "on" "off" $value) -}}
{{- else if and (kindIs "float64" $value) (eq (floor $value) $value) -}}
{{- $text = $value | int64 | toString -}}
{{- end -}}
{{- if and (ne $text "") (not (kindIs "invalid" $value)) }}
{{ $flag }}: {{ $text | quote }}
{{- end -}}
{{- end -}}
{{- end }}
