{{/*
What goes into a pod, for other charts. All three templates take one dict:

  context       `$`, required
  subchart      the name under which this chart is a dependency, if it has an alias; default "drainer"
  appPorts      the app's ports: "8080" or "8080,9000-9010"; default sidecar.appPorts
  gracePeriod   the pod's terminationGracePeriodSeconds, whole seconds; default sidecar.gracePeriod, else 30
  settings      flag -> value, over sidecar.settings
  native        false for an ordinary container; default sidecar.native
  hostNetwork   true where the pod has hostNetwork: true (matters to preStop alone)
  image         an image reference, instead of image.*
  resources     requests and limits, instead of sidecar.resources

Defaults come from this chart's values: under `drainer:` in the values of the chart that includes them. Never give the
dependency a condition: a chart that is switched off has no templates. (With the defaults it renders nothing.)
*/}}

{{/* One item of initContainers, or of containers where native is false. */}}
{{- define "drainer.sidecar" -}}
{{- $it := include "drainer.resolved" . | fromYaml -}}
{{- if not $it.appPorts -}}
{{- fail "drainer.sidecar: no ports of the app; give appPorts, like (dict \"context\" $ \"appPorts\" \"8080\"), or the value sidecar.appPorts" -}}
{{- end -}}
{{- include "drainer.ports.check" (list "drainer.sidecar: appPorts" $it.appPorts) -}}
{{- $container := dict "env" (include "drainer.environment" $it | fromYamlArray) -}}
- {{ include "drainer.container" (merge $container $it) | nindent 2 | trim }}
{{- end }}

{{/* The preStop handler of an ordinary container: under lifecycle.preStop of each of them. */}}
{{- define "drainer.preStop" -}}
{{- $it := include "drainer.resolved" . | fromYaml -}}
httpGet:
  path: /drain
  # A number: the kubelet looks a name up among the ports of the container that has the hook.
  port: {{ $it.port }}
  {{- if .hostNetwork }}
  host: 127.0.0.1
  {{- end }}
  {{- with $it.settings.token }}
  httpHeaders:
    - name: X-Drainer-Token
      value: {{ . | quote }}
  {{- end }}
{{- end }}

{{/* The number for the pod's terminationGracePeriodSeconds. */}}
{{- define "drainer.gracePeriod" -}}
{{ (include "drainer.resolved" . | fromYaml).gracePeriod }}
{{- end }}

{{/* The arguments above with this chart's values for what was not given, as YAML. */}}
{{- define "drainer.resolved" -}}
{{- $known := list "context" "subchart" "appPorts" "gracePeriod" "settings" "native" "hostNetwork" "image" "resources" -}}
{{- range $name := keys . | sortAlpha -}}
{{- if not (has $name $known) -}}
{{- fail (printf "drainer: %s is not an argument of these templates; allowed: %s" $name (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- $own := include "drainer.own" . | fromYaml -}}
{{- $sidecar := $own.values.sidecar -}}
{{- $grace := .gracePeriod | default $sidecar.gracePeriod | default 30 -}}
{{- if or (lt (int $grace) 1) (ne (toString $grace | trimSuffix ".0") (int $grace | toString)) -}}
{{- fail (printf "drainer: gracePeriod %v cannot be used; allowed: whole seconds from 1, like 60" $grace) -}}
{{- end -}}
{{- $settings := merge (include "drainer.settings.texts" (default dict .settings) | fromYaml) (include "drainer.settings.texts" $sidecar.settings | fromYaml) -}}
{{- dict
    "appPorts" (.appPorts | default $sidecar.appPorts | toString)
    "gracePeriod" (int $grace)
    "image" (.image | default (include "drainer.image" (merge (dict "defaultTag" $own.version) $own.values.image)))
    "native" (hasKey . "native" | ternary .native $sidecar.native)
    "port" (get $settings "port" | default "9808" | int)
    "pullPolicy" $own.values.image.pullPolicy
    "resources" (.resources | default $sidecar.resources)
    "securityContext" $sidecar.securityContext
    "settings" $settings
    | toYaml -}}
{{- end }}

{{/* This chart's own values and the version of its image, from wherever it is included. */}}
{{- define "drainer.own" -}}
{{- $context := required "drainer: the argument context is missing; give (dict \"context\" $ ...)" .context -}}
{{- $name := .subchart | default "drainer" -}}
{{- if and (eq $context.Chart.Name "drainer") (not .subchart) -}}
{{- dict "values" $context.Values "version" $context.Chart.AppVersion | toYaml -}}
{{- else if hasKey (default dict $context.Subcharts) $name -}}
{{- $chart := index $context.Subcharts $name -}}
{{- dict "values" $chart.Values "version" $chart.Chart.AppVersion | toYaml -}}
{{- else -}}
{{- fail (printf "drainer: there is no dependency named %s here; give its alias as subchart" $name) -}}
{{- end -}}
{{- end }}

{{/* The agent's variables: what every pod has, what was chosen in the order of the table, and who it is. */}}
{{- define "drainer.environment" -}}
- name: DRAINER_APP_PORTS
  value: {{ .appPorts | quote }}
- name: DRAINER_GRACE_PERIOD
  value: {{ printf "%ds" (int .gracePeriod) | quote }}
{{- if not .native }}
- name: DRAINER_CONTAINER
  value: plain
{{- end }}
{{- $settings := .settings }}
{{- range include "drainer.settings" . | fromYamlArray }}
{{- if hasKey $settings .flag }}
- name: DRAINER_{{ .flag | replace "-" "_" | upper }}
  value: {{ get $settings .flag | quote }}
{{- end }}
{{- end }}
- name: DRAINER_NODE_IP
  valueFrom: {fieldRef: {fieldPath: status.hostIPs}}
{{- if ne (get $settings "kubernetes" | default "off") "off" }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
{{- end }}
{{- end }}

{{/*
The container: of image, port, native, resources, securityContext, pullPolicy, and env. The named template, the demo and
the policy are made from it; drainer/sidecar.py writes the same.
*/}}
{{- define "drainer.container" -}}
name: drainer
image: {{ .image | quote }}
{{- with .pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
args: [run]
{{- if .native }}
# This makes it a native sidecar: it starts before the app, and outlives it.
restartPolicy: Always
{{- end }}
env:
  {{- toYaml .env | nindent 2 }}
ports:
  - name: drainer
    containerPort: {{ .port }}
    protocol: TCP
# The hook's target listens before the app starts.
startupProbe:
  httpGet:
    path: /livez
    port: {{ .port }}
  initialDelaySeconds: 1
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet:
    path: /readyz
    port: {{ .port }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
resources:
  {{- toYaml .resources | nindent 2 }}
securityContext:
  {{- toYaml .securityContext | nindent 2 }}
{{- end }}
