{{/* What scales a workload on its connections. docs/scaling.md says which way is for whom. */}}

{{/* Fails where the values do not say enough. */}}
{{- define "drainer.scaling.check" -}}
{{- $scaling := .Values.scaling -}}
{{- if not $scaling.target.name -}}
{{- fail "scaling.target.name is empty; allowed: the name of the workload that is to be scaled" -}}
{{- end -}}
{{- if and (eq $scaling.method "keda-metrics-api") (not $scaling.podLabels) -}}
{{- fail "scaling.podLabels is empty; allowed with keda-metrics-api: labels of the workload's pods, for a Service that has them all" -}}
{{- end -}}
{{- if lt (int $scaling.maxReplicas) (int $scaling.minReplicas) -}}
{{- fail (printf "scaling.maxReplicas %d is less than scaling.minReplicas %d" (int $scaling.maxReplicas) (int $scaling.minReplicas)) -}}
{{- end -}}
{{- end }}

{{- define "drainer.scaling.name" -}}
{{ include "drainer.fullname" . }}-scaling
{{- end }}

{{- define "drainer.scaling.target" -}}
apiVersion: {{ .Values.scaling.target.apiVersion }}
kind: {{ .Values.scaling.target.kind }}
name: {{ .Values.scaling.target.name }}
{{- end }}

{{/* Slowly down: every pod that goes sends its clients to the others. */}}
{{- define "drainer.scaling.behavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.scaling.scaleDown.stabilizationSeconds }}
  policies:
    - type: Pods
      value: {{ .Values.scaling.scaleDown.pods }}
      periodSeconds: {{ .Values.scaling.scaleDown.periodSeconds }}
{{- end }}

{{/* The names of the workload's pods, as a regular expression of Prometheus. */}}
{{- define "drainer.scaling.pods" -}}
{{- $random := "[bcdfghjklmnpqrstvwxz2456789]" -}}
{{- $name := .Values.scaling.target.name | replace "." "[.]" -}}
{{- if eq .Values.scaling.target.kind "StatefulSet" -}}
{{ $name }}-[0-9]+
{{- else if has .Values.scaling.target.kind (list "Deployment" "Rollout") -}}
{{ $name }}-{{ $random }}{6,10}-{{ $random }}{5}
{{- else -}}
{{ $name }}-{{ $random }}{5}
{{- end -}}
{{- end }}
