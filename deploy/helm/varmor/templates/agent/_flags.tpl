{{/* Path of the log's folder on a node. The agents' /var/log is agent.hostPaths.log on the node. */}}
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
{{- $flags := list -}}
{{- if .Values.unloadAllAaProfiles.enabled }}{{ $flags = concat $flags ($agent.unloadAllAaProfiles.args | default list) }}{{ end -}}
{{- if .Values.removeAllSeccompProfiles.enabled }}{{ $flags = concat $flags ($agent.removeAllSeccompProfiles.args | default list) }}{{ end -}}
{{- if .Values.unloadAllBpfProfiles.enabled }}{{ $flags = concat $flags ($agent.unloadAllBpfProfiles.args | default list) }}{{ end -}}
{{- if .Values.metrics.enabled }}{{ $flags = append $flags "--enableMetrics" }}{{ end -}}
{{- if and .Values.metrics.enabled .Values.metrics.tlsSecretName }}
{{- $flags = concat $flags (list "--metrics-cert=/etc/varmor/metrics-tls/tls.crt" "--metrics-key=/etc/varmor/metrics-tls/tls.key") }}
{{- end -}}
{{- if .Values.jsonLogFormat.enabled }}{{ $flags = concat $flags (.Values.jsonLogFormat.args | default list) }}{{ end -}}
{{- if $agent.strictReadiness }}{{ $flags = append $flags "--strict-readiness" }}{{ end -}}
{{- if and $agent.strictStart .Values.bpfLsmEnforcer.enabled }}{{ $flags = append $flags "--strict-start" }}{{ end -}}
{{- if $agent.audit.untrustedRecords }}{{ $flags = append $flags "--log-untrusted-records" }}{{ end -}}
{{- if $agent.violations.compress }}{{ $flags = append $flags "--violations-compress" }}{{ end -}}
{{- include "varmor.flags" $flags -}}
{{- range $agent.managers }}{{ include "varmor.optional" (list "--manager" .) }}{{ end -}}
{{- /* A separate folder: the image's own AppArmor folder has files that profiles include. */ -}}
{{- include "varmor.optional" (list "--apparmor-dir" "/host/apparmor.d") -}}
{{- with $agent.hostPaths.crio }}{{ include "varmor.optional" (list "--cri" "/run/crio/crio.sock") }}{{ end -}}
{{- include "varmor.optional" (list "--log" (printf "%s/violations.log" $agent.violations.folder)) -}}
{{- include "varmor.optional" (list "--violations-max-size" $agent.violations.maxSize) -}}
{{- include "varmor.optional" (list "--violations-max-files" $agent.violations.maxFiles) -}}
{{- include "varmor.optional" (list "--violations-max-total-size" $agent.violations.maxTotalSize) -}}
{{- include "varmor.optional" (list "--violations-rate" $agent.violations.rate) -}}
{{- include "varmor.optional" (list "--violations-pod-labels" $agent.violations.podLabels) -}}
{{- include "varmor.optional" (list "--audit-source" $agent.audit.source) -}}
{{- include "varmor.optional" (list "--auditLogPaths" $agent.audit.logPaths) -}}
{{- include "varmor.optional" (list "--bpf-ring-size" $agent.bpfRingSize) -}}
{{- include "varmor.optional" (list "--bpf-containers" $agent.bpfContainers) -}}
{{- include "varmor.optional" (list "--bpf-profiles" $agent.bpfProfiles) -}}
{{- include "varmor.optional" (list "--bpf-profile-memory" $agent.bpfProfileMemory) -}}
{{- include "varmor.optional" (list "--bpf-records-rate" $agent.bpfRecordsRate) -}}
{{- include "varmor.optional" (list "--workers" $agent.workers) -}}
{{- include "varmor.optional" (list "--status-every" $agent.statusEvery) -}}
{{- include "varmor.optional" (list "--verbosity" $agent.verbosity) }}
- --readiness-host=$(POD_IP)
- --metrics-host=$(POD_IP)
{{- include "varmor.flags" $agent.args -}}
{{- end -}}
