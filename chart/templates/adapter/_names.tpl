{{/* Names of the adapter's parts. */}}

{{- define "drainer.adapter.name" -}}
{{ include "drainer.fullname" . }}-adapter
{{- end }}

{{- define "drainer.adapter.selector" -}}
app.kubernetes.io/name: {{ include "drainer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: adapter
{{- end }}

{{- define "drainer.adapter.labels" -}}
{{ include "drainer.labels" . }}
app.kubernetes.io/component: adapter
{{- end }}

{{/* The Secret: with the authority that the replicas make, or with what cert-manager makes. */}}
{{- define "drainer.adapter.secret" -}}
{{ include "drainer.adapter.name" . }}-tls
{{- end }}

{{/* The APIServices that are to point to the adapter: name -> group, version. */}}
{{- define "drainer.adapter.apis" -}}
{{- if .Values.adapter.customMetrics.enabled }}
v1beta2.custom.metrics.k8s.io: {flag: custom, group: custom.metrics.k8s.io, version: v1beta2}
{{- end }}
{{- if .Values.adapter.externalMetrics.enabled }}
v1beta1.external.metrics.k8s.io: {flag: external, group: external.metrics.k8s.io, version: v1beta1}
{{- end }}
{{- end }}

{{/* What an APIService points to, if it is there and is not the adapter's: (list $ NAME) -> text or nothing. Without a cluster (helm template, GitOps) there is none. */}}
{{- define "drainer.adapter.others" -}}
{{- $context := first . -}}
{{- $found := lookup "apiregistration.k8s.io/v1" "APIService" "" (last .) -}}
{{- if $found -}}
{{- $service := dig "spec" "service" dict $found | default dict -}}
{{- if not $service.name -}}
the API server itself
{{- else if or (ne $service.namespace $context.Release.Namespace) (ne $service.name (include "drainer.adapter.name" $context)) -}}
the Service {{ $service.namespace }}/{{ $service.name }}
{{- end -}}
{{- end -}}
{{- end }}
