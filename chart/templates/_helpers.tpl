{{/* Names and labels. What goes into a pod is in _sidecar.tpl. */}}

{{/* Of all labels, annotations and conditions: named here and nowhere else in the chart. */}}
{{- define "drainer.prefix" -}}
drainer.dev
{{- end }}

{{- define "drainer.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "drainer.fullname" -}}
{{- $name := include "drainer.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "drainer.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "drainer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Whether the cluster is at least of a version, vendors' suffixes aside: (list $ "1.36") -> "true" or nothing. */}}
{{- define "drainer.isAtLeast" -}}
{{- if semverCompare (printf ">=%s-0" (last .)) (first .).Capabilities.KubeVersion.Version -}}
true
{{- end -}}
{{- end }}

{{/* An image's reference, from its repository, tag, digest, and the tag that is meant where there is none. */}}
{{- define "drainer.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default .defaultTag }}
{{- end -}}
{{- end }}

{{/* Whether kubectl apply is to print warnings: "true" or nothing. */}}
{{- define "drainer.warns" -}}
{{- if or (eq (toString .Values.warnings.enabled) "true") (and (eq (toString .Values.warnings.enabled) "auto") .Values.injection.enabled) -}}
true
{{- end -}}
{{- end }}

{{/* Which namespaces the policies look at. */}}
{{- define "drainer.namespaceSelector" -}}
{{- if .Values.injection.namespaceSelector -}}
{{ toYaml .Values.injection.namespaceSelector }}
{{- else -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values:
      {{- list "kube-system" .Release.Namespace | uniq | toYaml | nindent 6 }}
{{- end -}}
{{- end }}

{{/* What the Role allows beyond looking: writing the status (`label`, `condition`, `cost`), making Events, the `others`. */}}
{{- define "drainer.rights" -}}
{{- $condition := or .Values.rbac.condition .Values.rbac.readinessGate -}}
{{- dict
    "label" .Values.rbac.servingLabel
    "condition" $condition
    "cost" .Values.rbac.deletionCost
    "status" (or .Values.rbac.servingLabel $condition .Values.rbac.deletionCost)
    "events" .Values.rbac.events
    "others" .Values.rbac.neverLast
    "metrics" .Values.rbac.podMetrics
    | toYaml -}}
{{- end }}

{{/* The agent's port, where it is not given pod by pod. */}}
{{- define "drainer.port" -}}
{{ get (include "drainer.settings.texts" .Values.sidecar.settings | fromYaml) "port" | default "9808" }}
{{- end }}

{{/* Selects the pods that ask for the sidecar. */}}
{{- define "drainer.injected" -}}
matchLabels:
  {{ include "drainer.prefix" . }}/inject: "true"
{{- end }}

{{- define "drainer.demo.name" -}}
{{ include "drainer.fullname" . }}-demo
{{- end }}

{{- define "drainer.demo.selector" -}}
app.kubernetes.io/name: {{ include "drainer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: demo
{{- end }}
