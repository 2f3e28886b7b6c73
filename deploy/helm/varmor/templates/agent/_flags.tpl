{{/* Path of the log's folder on the node. The agent mounts agent.hostPaths.log of the node at /var/log. */}}
{{- define "varmor.violationsOnNode" -}}
{{- $folder := .Values.agent.violations.folder -}}
{{- if hasPrefix "/var/log/" $folder -}}
{{- printf "%s%s" (trimSuffix "/" .Values.agent.hostPaths.log) (trimPrefix "/var/log" $folder) -}}
{{- else -}}
{{- $folder -}}
{{- end -}}
{{- end -}}

{{/* All flags of an agent. A user's args come last, so they take precedence. */}}
{{- define "varmor.agentFlags" -}}
{{- $agent := .Values.agent -}}
{{- include "varmor.agentValueFlags" . -}}
{{- if and .Values.metrics.enabled .Values.metrics.tlsSecretName }}{{ include "varmor.metricsTLSFlags" . }}{{ end -}}
{{- /* Do not mount over the image's own AppArmor folder: profiles include files from it. */ -}}
{{- include "varmor.optional" (list "--apparmor-dir" "/host/apparmor.d") -}}
{{- with $agent.hostPaths.crio }}{{ include "varmor.optional" (list "--cri" "/run/crio/crio.sock") }}{{ end -}}
{{- include "varmor.optional" (list "--log" (printf "%s/violations.log" $agent.violations.folder)) }}
- --readiness-host=$(POD_IP)
- --metrics-host=$(POD_IP)
{{- include "varmor.flags" $agent.args -}}
{{- end -}}
