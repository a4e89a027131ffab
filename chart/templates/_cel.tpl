{{/* What the policies have in common, in CEL. */}}

{{/*
YAML as a literal of CEL: (dict "type" "Object.spec.initContainers" "value" {...}). A text that begins with "cel:" is an
expression already. Requests and limits are maps, everything else has a type of its own.
*/}}
{{- define "drainer.cel.literal" -}}
{{- $type := .type -}}
{{- if kindIs "map" .value -}}
{{- $isMap := or (hasSuffix ".requests" $type) (hasSuffix ".limits" $type) -}}
{{- $fields := list -}}
{{- range $name, $value := .value -}}
{{- $key := $isMap | ternary ($name | quote) $name -}}
{{- $fields = append $fields (printf "%s: %s" $key (include "drainer.cel.literal" (dict "type" (printf "%s.%s" $type $name) "value" $value))) -}}
{{- end -}}
{{ $isMap | ternary "" $type }}{
{{- join ",\n" $fields | nindent 2 }}
}
{{- else if kindIs "slice" .value -}}
{{- $items := list -}}
{{- range .value -}}
{{- $items = append $items (include "drainer.cel.literal" (dict "type" $type "value" .)) -}}
{{- end -}}
[{{ join ", " $items }}]
{{- else if kindIs "string" .value -}}
{{ hasPrefix "cel:" .value | ternary (trimPrefix "cel:" .value) (.value | quote) }}
{{- else if kindIs "bool" .value -}}
{{ .value }}
{{- else -}}
{{ int64 .value }}
{{- end -}}
{{- end }}

{{/* The values that pods get, as a map of texts: flag -> value. Never empty, so that CEL knows its type. */}}
{{- define "drainer.cel.parameters" -}}
{{- $texts := include "drainer.settings.texts" .Values.sidecar.settings | fromYaml -}}
{{- $_ := set $texts "app-ports" (.Values.sidecar.appPorts | default "" | toString) -}}
{{- include "drainer.ports.check" (list "sidecar.appPorts" (get $texts "app-ports")) -}}
{{- with .Values.sidecar.gracePeriod }}{{ $_ := set $texts "grace-period" (int . | toString) }}{{ end -}}
{{- $pairs := list -}}
{{- range $flag, $text := $texts }}{{ $pairs = append $pairs (printf "%q: %q" $flag (toString $text)) }}{{ end -}}
{ {{- join ", " $pairs -}} }
{{- end }}

{{/*
What the sidecar requests, or its limits: (list $ "requests"), an expression of [resource, quantity] pairs. What the pod's
annotation of that name does not say is that of sidecar.resources; a quantity of 0 takes one out.
*/}}
{{- define "drainer.cel.amounts" -}}
{{- $usual := get ((first .).Values.sidecar.resources | default dict) (last .) | default dict -}}
{{- $names := list "cpu" "memory" "ephemeral-storage" -}}
{{- $pairs := list -}}
{{- range $name, $amount := $usual -}}
{{- $names = append $names $name | uniq -}}
{{- $isWhole := and (kindIs "float64" $amount) (eq (floor $amount) $amount) -}}
{{- $pairs = append $pairs (printf "%q: %q" $name (toString ($isWhole | ternary (int64 $amount) $amount))) -}}
{{- end -}}
{{ include "drainer.cel.texts" $names }}
.map(r, [r, (variables.annotations[?'{{ include "drainer.prefix" (first .) }}/{{ last . }}'].orValue('').findAll('[^,[:space:]]+').map(e, e.split('='))
  .filter(e, e[0] == r && size(e) == 2).map(e, e[1]) + [{ {{- join ", " $pairs -}} }[?r].orValue('0')])[0]])
.filter(p, !p[1].matches('^[0.]+[A-Za-z]*$'))
{{- end }}

{{/* A list of texts. */}}
{{- define "drainer.cel.texts" -}}
{{- $quoted := list -}}
{{- range . }}{{ $quoted = append $quoted (squote .) }}{{ end -}}
[{{ join ", " $quoted }}]
{{- end }}

{{/* The text that is given for a flag, an expression: the pod's annotation, else the parameter, else nothing. */}}
{{- define "drainer.cel.given" -}}
variables.annotations[?'{{ include "drainer.prefix" . }}/' + {{ . }}].or(variables.parameters[?{{ . }}]).orValue('').trim()
{{- end }}

{{/* A length of time as it is written (an expression that is used twice) as a duration. */}}
{{- define "drainer.cel.length" -}}
duration({{ . }}.matches('[smh]$') ? {{ . }} : {{ . }} + 's')
{{- end }}

{{/*
Variables about a pod that are needed to put the sidecar in, and to say why it cannot be: the policies begin with `spec`
and `annotations`. `problems` are sentences; with one of them nothing is put in.
*/}}
{{- define "drainer.cel.variables" -}}
{{- $prefix := include "drainer.prefix" . -}}
# What pods get that do not say otherwise by their annotations: the keys are flags. Not in a ConfigMap as a parameter of
# the policy: after the last binding with parameters of a kind is gone, no later one works (kubernetes#130887).
- name: parameters
  expression: >-
    {{ include "drainer.cel.parameters" . }}
- name: named
  expression: >-
    variables.annotations[?'{{ $prefix }}/container'].orValue('').findAll('[^,[:space:]]+')
- name: hooked
  expression: >-
    variables.named == [] ? variables.spec.containers.map(c, c.name) : variables.named
# The TCP ports of each ordinary container that declares some.
- name: declared
  expression: >-
    variables.spec.containers
    .map(c, has(c.ports) ? c.ports.filter(p, !has(p.protocol) || p.protocol == 'TCP').map(p, string(p.containerPort)) : [])
    .filter(ports, size(ports) > 0)
- name: appPorts
  expression: >-
    {{ include "drainer.cel.given" "'app-ports'" }} != ''
    ? {{ include "drainer.cel.given" "'app-ports'" }}
    : size(variables.declared) == 1 && size(variables.declared[0]) == 1 ? variables.declared[0][0] : ''
- name: port
  expression: >-
    {{ include "drainer.cel.given" "'port'" }} == '' ? '9808' : {{ include "drainer.cel.given" "'port'" }}
# Seconds.
- name: ownGrace
  expression: variables.spec.?terminationGracePeriodSeconds.orValue(30)
# Whether the agent's port is somebody else's.
- name: isTaken
  expression: >-
    (variables.spec.containers + variables.spec.?initContainers.orValue([])).exists(c,
      c.?ports.orValue([]).exists(p, string(p.containerPort) == variables.port && p.?protocol.orValue('TCP') == 'TCP'))
    || {{ include "drainer.cel.isAppPort" "variables.port" }}
- name: notifyUrl
  expression: {{ include "drainer.cel.given" "'notify-url'" }}
- name: notifyPort
  expression: >-
    variables.notifyUrl.findAll('^[^/]*//[^/?]*:[0-9]+').map(v, v.findAll('[0-9]+$')[0])
# Settings that are of no use without the API; with the gate the pod would never be ready.
- name: vain
  expression: >-
    {{ include "drainer.cel.given" "'kubernetes'" }} in ['on', 'auto'] ? []
    : ['serving-label', 'readiness-gate'].filter(f, {{ include "drainer.cel.given" "f" }} == 'true')
{{- range $group := list "requests" "limits" }}
- name: {{ $group }}
  expression: >-
    {{- include "drainer.cel.amounts" (list $ $group) | trim | nindent 4 }}
{{- end }}
- name: isWindows
  expression: >-
    variables.spec.?os.?name.orValue('') == 'windows'
    || variables.spec.?nodeSelector[?'kubernetes.io/os'].orValue('') == 'windows'
- name: refused
  expression: >-
    {{- include "drainer.cel.refused" . | trim | nindent 4 }}
# Of values that can be read.
- name: contradictions
  expression: >-
    (variables.isWindows ? ['its containers run on Windows'] : [])
    + (variables.appPorts == '' ? ['no port of the app is known: give the annotation {{ $prefix }}/app-ports, or declare exactly one TCP port'] : [])
    + (variables.isTaken ? ['port ' + variables.port + ' is one of the pod already: give another with {{ $prefix }}/port'] : [])
    + (variables.ownGrace == 0 && {{ include "drainer.cel.given" "'grace-period'" }} == ''
      ? ['its grace period is 0: give {{ $prefix }}/grace-period'] : [])
    + variables.vain.map(f, '{{ $prefix }}/' + f + ' needs the API: give {{ $prefix }}/kubernetes, on or auto')
    + [[{{ include "drainer.cel.given" "'max-connections'" }}, {{ include "drainer.cel.given" "'resume-below'" }}]]
      .filter(b, b.all(v, v.matches('^[0-9]+$')) && int(b[1]) >= int(b[0]))
      .map(b, '{{ $prefix }}/resume-below is ' + b[1] + ': give less than {{ $prefix }}/max-connections, ' + b[0])
    + ({{ include "drainer.cel.given" "'full'" }} == 'label' && {{ include "drainer.cel.given" "'serving-label'" }} != 'true'
      ? ['{{ $prefix }}/full is label: give {{ $prefix }}/serving-label, true'] : [])
    + ({{ include "drainer.cel.given" "'full'" }} == 'readiness' && {{ include "drainer.cel.given" "'readiness'" }} == 'never'
      ? ['{{ $prefix }}/full is readiness, and {{ $prefix }}/readiness is never: give another for one of them'] : [])
    + ('notify' in {{ include "drainer.cel.given" "'close'" }}.findAll('[a-z]+') && variables.notifyUrl == ''
      ? ['{{ $prefix }}/close names notify: give {{ $prefix }}/notify-url, like http://127.0.0.1:9809/drain'] : [])
    + (variables.notifyUrl != '' && {{ include "drainer.cel.given" "'notify-remote'" }} != 'true'
        && !variables.notifyUrl.matches('^[^/]*//(127[.][0-9.]+|[[]::1[]]|[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt])([:/?]|$)')
      ? ['{{ $prefix }}/notify-url leads to another host: give {{ $prefix }}/notify-remote, true, or a URL of loopback'] : [])
    + variables.notifyPort.filter(p, p == variables.port || {{ include "drainer.cel.isAppPort" "p" }})
      .map(p, '{{ $prefix }}/notify-url is on port ' + p + ', which is counted or the agent\'s own: give it a port of its own')
    + {{ include "drainer.cel.given" "'health-port'" }}.findAll('[0-9]+').filter(p, !{{ include "drainer.cel.isAppPort" "p" }})
      .map(p, '{{ $prefix }}/health-port is ' + p + ', which is no port of the app')
    + ['health-max-memory', 'health-max-cpu', 'health-max-descriptors']
      .filter(f, !({{ include "drainer.cel.given" "f" }} in ['', 'off']) && {{ include "drainer.cel.given" "'usage'" }} in ['', 'off'])
      .map(f, '{{ $prefix }}/' + f + ' needs to know what the app takes: give {{ $prefix }}/usage, auto, processes or metrics')
    + {{ include "drainer.cel.given" "'websocket-ports'" }}.findAll('[0-9]+').filter(p, !{{ include "drainer.cel.isAppPort" "p" }})
      .map(p, '{{ $prefix }}/websocket-ports has ' + p + ', which is no port of the app')
    + variables.requests.filter(p, variables.limits.exists(l, l[0] == p[0] && quantity(p[1]).isGreaterThan(quantity(l[1]))))
      .map(p, '{{ $prefix }}/requests has ' + p[0] + '=' + p[1] + ', more than the limit: give less, or more in {{ $prefix }}/limits')
- name: problems
  expression: "size(variables.refused) > 0 ? variables.refused : variables.contradictions"
{{- end }}

{{/* Whether a port, an expression of text, is one of the app's. */}}
{{- define "drainer.cel.isAppPort" -}}
variables.appPorts.findAll('[0-9]+(-[0-9]+)?').map(r, r.split('-'))
      .exists(r, int(r[0]) <= int({{ . }}) && int({{ . }}) <= int(r[size(r) - 1]))
{{- end }}

{{/* A sentence for each annotation of ours whose value the agent would refuse. */}}
{{- define "drainer.cel.refused" -}}
{{- $prefix := include "drainer.prefix" . -}}
{{- $kinds := include "drainer.kinds" . | fromYaml -}}
{{- $checks := list
    (merge (dict "kind" "some-ports" "flags" (list "app-ports")) (get $kinds "some-ports"))
    (merge (dict "kind" "grace" "flags" (list "grace-period")) $kinds.grace)
    (merge (dict "kind" "amounts" "flags" (list "requests" "limits")) $kinds.amounts) -}}
{{- /* Flags of one kind are looked at together; words are a kind by themselves. */ -}}
{{- $groups := dict -}}
{{- range include "drainer.settings" . | fromYamlArray -}}
{{- $group := .words | default list | join ", " | default .kind -}}
{{- $check := get $groups $group -}}
{{- if not $check -}}
{{- if .words -}}
{{- $check = dict "kind" .kind "flags" list "allowed" (printf "one of %s" $group) "holds" (printf "v in %s" (include "drainer.cel.texts" .words)) -}}
{{- else -}}
{{- $check = merge (dict "kind" .kind "flags" list) (get $kinds .kind) -}}
{{- end -}}
{{- $checks = append $checks $check -}}
{{- $_ := set $groups $group $check -}}
{{- end -}}
{{- $_ := set $check "flags" (append $check.flags .flag) -}}
{{- end -}}
[
{{- range $index, $check := $checks }}
  {{ include "drainer.cel.texts" .flags }}
  .filter(f, variables.annotations[?'{{ $prefix }}/' + f].orValue('').trim() != ''
    && ![variables.annotations['{{ $prefix }}/' + f].trim()].all(v, {{ .holds }}))
  .map(f, '{{ $prefix }}/' + f + {{ if not (has .kind (list "secret" "fields")) }}'=' + variables.annotations['{{ $prefix }}/' + f] + {{ end }}' cannot be used; allowed: {{ .allowed }}')
  {{- if lt (add1 $index) (len $checks) }},{{ end }}
{{- end }}
]
.map(sentences, sentences.join('; '))
.filter(sentence, sentence != '')
{{- end }}

{{/* The agent's variables, as drainer.environment has them. (Object... exists in mutations only, not in variables.) */}}
{{- define "drainer.cel.environment" -}}
{{- $type := "Object.spec.initContainers.env" -}}
[
  {{ $type }}{name: "DRAINER_APP_PORTS", value: variables.appPorts},
  {{ $type }}{name: "DRAINER_GRACE_PERIOD", value: string(variables.grace) + "s"}
]
+ variables.flags.map(f, {{ $type }}{
  name: "DRAINER_" + f.replace("-", "_").upperAscii(),
  value: {{ include "drainer.cel.given" "f" }}
})
+ ([["DRAINER_NODE_IP", "status.hostIPs"]] + (variables.usesApi
  ? [["POD_NAME", "metadata.name"], ["POD_NAMESPACE", "metadata.namespace"], ["POD_UID", "metadata.uid"]]
  : [])).map(pair, {{ $type }}{
    name: pair[0],
    valueFrom: {{ $type }}.valueFrom{fieldRef: {{ $type }}.valueFrom.fieldRef{fieldPath: pair[1]}}
  })
{{- end }}

{{/* The hook, as drainer.preStop has it. */}}
{{- define "drainer.cel.hook" -}}
{{- $type := "Object.spec.containers.lifecycle.preStop" -}}
{{ $type }}{httpGet: {{ $type }}.httpGet{
  path: "/drain",
  port: int(variables.port),
  ?host: variables.isOnHost ? optional.of("127.0.0.1") : optional.none(),
  ?httpHeaders: variables.token == "" ? optional.none() : optional.of([
    {{ $type }}.httpGet.httpHeaders{name: "X-Drainer-Token", value: variables.token}
  ])
}}
{{- end }}

{{/*
The text of a setting: of the sidecar that is there (its variable), or of the one that will be; (list FLAG DEFAULT DEFAULT),
the defaults of the one and of the other. A variable that reads an annotation (the Kustomize component) has its text; other
values without text count as the default.
*/}}
{{- define "drainer.cel.told" -}}
{{- $flag := first . -}}
>-
        size(variables.sidecars) > 0
        ? (variables.sidecars[0].?env.orValue([])
          .filter(e, e.name == 'DRAINER_{{ $flag | replace "-" "_" | upper }}')
          .map(e, e.?valueFrom.?fieldRef.?fieldPath.orValue('') == "metadata.annotations['{{ include "drainer.prefix" $ }}/{{ $flag }}']"
            ? variables.annotations[?'{{ include "drainer.prefix" $ }}/{{ $flag }}'].orValue('') : e.?value.orValue(''))
          .filter(v, v != '')
          + ['{{ index . 1 }}'])[0]
        : ([{{ include "drainer.cel.given" (squote $flag) }}].filter(v, v != '') + ['{{ index . 2 }}'])[0]
{{- end }}

{{/* Service meshes: what asks for them, and the annotation that keeps ports out of them. */}}
{{- define "drainer.meshes" -}}
- name: istio
  mark: sidecar.istio.io/inject
  values: ["true"]
  sign: istio.io/rev
  proxy: istio-proxy
  excludes: traffic.sidecar.istio.io/excludeInboundPorts
- name: linkerd
  mark: linkerd.io/inject
  values: [enabled, ingress]
  proxy: linkerd-proxy
  excludes: config.linkerd.io/skip-inbound-ports
{{- end }}
