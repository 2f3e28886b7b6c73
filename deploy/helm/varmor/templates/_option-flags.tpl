{{/* Generated from src/options by `npm run generate`. */}}

{{/* The current name of each renamed flag, by its former name, as JSON. */}}
{{- define "varmor.renamedFlags" -}}
{
  "webhookFailurePolicy": "webhook-failure-policy",
  "webhookExemptNamespaces": "webhook-exempt-namespaces",
  "confineInitContainers": "confine-init-containers",
  "unloadAllBpfProfiles": "unload-all-bpf-profiles",
  "bpfRingSize": "bpf-ring-size",
  "bpfContainers": "bpf-containers",
  "bpfProfiles": "bpf-profiles",
  "bpfProfileMemory": "bpf-profile-memory",
  "bpfRecordsRate": "bpf-records-rate",
  "strictStart": "strict-start",
  "violationsPodLabels": "violations-pod-labels",
  "logUntrustedRecords": "log-untrusted-records",
  "violationsMaxSize": "violations-max-size",
  "violationsMaxFiles": "violations-max-files",
  "violationsCompress": "violations-compress",
  "violationsMaxTotalSize": "violations-max-total-size",
  "violationsRate": "violations-rate"
}
{{- end -}}

{{/* The flags of `varmor manager` whose value is a value of the chart. */}}
{{- define "varmor.managerValueFlags" -}}
{{- include "varmor.optional" (list "--webhookMatchLabel" .Values.manager.webhook.matchLabel) -}}
{{- include "varmor.optional" (list "--webhook-failure-policy" .Values.manager.webhook.failurePolicy) -}}
{{- with .Values.manager.webhook.exemptNamespaces }}{{ include "varmor.optional" (list "--webhook-exempt-namespaces" (join "," .)) }}{{ end -}}
{{- include "varmor.optional" (list "--webhookTimeout" .Values.manager.webhook.timeoutSeconds) -}}
{{- with .Values.manager.webhook.clientCA.names }}{{ include "varmor.optional" (list "--webhook-client-names" (join "," .)) }}{{ end -}}
{{- if .Values.bpfExclusiveMode.enabled }}{{ include "varmor.flags" .Values.manager.bpfExclusiveMode.args }}{{ end -}}
{{- if .Values.manager.confineInitContainers }}{{ include "varmor.flags" (list "--confine-init-containers") }}{{ end -}}
{{- if .Values.restartExistWorkloads.enabled }}{{ include "varmor.flags" .Values.manager.restartExistWorkloads.args }}{{ end -}}
{{- if .Values.behaviorModeling.enabled }}{{ include "varmor.flags" (list "--enableBehaviorModeling") }}{{ end -}}
{{- if eq (toString .Values.behaviorModeling.generalise) "false" }}{{ include "varmor.flags" (list "--no-generalise") }}{{ end -}}
{{- if .Values.serviceEgressControl.enabled }}{{ include "varmor.flags" (list "--enableServiceEgressControl") }}{{ end -}}
{{- if .Values.podEgressControl.enabled }}{{ include "varmor.flags" (list "--enablePodEgressControl") }}{{ end -}}
{{- include "varmor.optional" (list "--restarts-in-flight" .Values.manager.restarts.inFlight) -}}
{{- include "varmor.optional" (list "--restarts-in-flight-per-namespace" .Values.manager.restarts.inFlightPerNamespace) -}}
{{- include "varmor.optional" (list "--restarts-per-minute" .Values.manager.restarts.perMinute) -}}
{{- include "varmor.optional" (list "--restarts-per-minute-per-namespace" .Values.manager.restarts.perMinutePerNamespace) -}}
{{- include "varmor.optional" (list "--clientRateLimitQPS" .Values.manager.clientRateLimit.qps) -}}
{{- include "varmor.optional" (list "--clientRateLimitBurst" .Values.manager.clientRateLimit.burst) -}}
{{- if .Values.manager.allowUnboundTokens }}{{ include "varmor.flags" (list "--allow-unbound-tokens") }}{{ end -}}
{{- include "varmor.optional" (list "--report-interval" .Values.manager.reportIntervalSeconds) -}}
{{- include "varmor.optional" (list "--compile-deadline" .Values.manager.compileDeadlineSeconds) -}}
{{- include "varmor.optional" (list "--shutdown-delay" .Values.manager.shutdownDelaySeconds) -}}
{{- if .Values.metrics.enabled }}{{ include "varmor.flags" .Values.manager.metrics.args }}{{ end -}}
{{- if .Values.jsonLogFormat.enabled }}{{ include "varmor.flags" .Values.jsonLogFormat.args }}{{ end -}}
{{- include "varmor.optional" (list "--verbosity" .Values.manager.verbosity) -}}
{{- end -}}

{{/* The flags of `varmor agent` whose value is a value of the chart. */}}
{{- define "varmor.agentValueFlags" -}}
{{- range .Values.agent.managers }}{{ include "varmor.optional" (list "--manager" .) }}{{ end -}}
{{- if .Values.agent.strictReadiness }}{{ include "varmor.flags" (list "--strict-readiness") }}{{ end -}}
{{- if .Values.unloadAllAaProfiles.enabled }}{{ include "varmor.flags" .Values.agent.unloadAllAaProfiles.args }}{{ end -}}
{{- if .Values.removeAllSeccompProfiles.enabled }}{{ include "varmor.flags" .Values.agent.removeAllSeccompProfiles.args }}{{ end -}}
{{- if .Values.unloadAllBpfProfiles.enabled }}{{ include "varmor.flags" .Values.agent.unloadAllBpfProfiles.args }}{{ end -}}
{{- include "varmor.optional" (list "--bpf-ring-size" .Values.agent.bpfRingSize) -}}
{{- include "varmor.optional" (list "--bpf-containers" .Values.agent.bpfContainers) -}}
{{- include "varmor.optional" (list "--bpf-profiles" .Values.agent.bpfProfiles) -}}
{{- include "varmor.optional" (list "--bpf-profile-memory" .Values.agent.bpfProfileMemory) -}}
{{- include "varmor.optional" (list "--bpf-records-rate" .Values.agent.bpfRecordsRate) -}}
{{- if and .Values.agent.strictStart .Values.bpfLsmEnforcer.enabled }}{{ include "varmor.flags" (list "--strict-start") }}{{ end -}}
{{- include "varmor.optional" (list "--audit-source" .Values.agent.audit.source) -}}
{{- include "varmor.optional" (list "--auditLogPaths" .Values.agent.audit.logPaths) -}}
{{- include "varmor.optional" (list "--workers" .Values.agent.workers) -}}
{{- include "varmor.optional" (list "--violations-pod-labels" .Values.agent.violations.podLabels) -}}
{{- if .Values.agent.audit.untrustedRecords }}{{ include "varmor.flags" (list "--log-untrusted-records") }}{{ end -}}
{{- include "varmor.optional" (list "--violations-max-size" .Values.agent.violations.maxSize) -}}
{{- include "varmor.optional" (list "--violations-max-files" .Values.agent.violations.maxFiles) -}}
{{- if .Values.agent.violations.compress }}{{ include "varmor.flags" (list "--violations-compress") }}{{ end -}}
{{- include "varmor.optional" (list "--violations-max-total-size" .Values.agent.violations.maxTotalSize) -}}
{{- include "varmor.optional" (list "--violations-rate" .Values.agent.violations.rate) -}}
{{- include "varmor.optional" (list "--status-every" .Values.agent.statusEvery) -}}
{{- if .Values.metrics.enabled }}{{ include "varmor.flags" (list "--enableMetrics") }}{{ end -}}
{{- if .Values.jsonLogFormat.enabled }}{{ include "varmor.flags" .Values.jsonLogFormat.args }}{{ end -}}
{{- include "varmor.optional" (list "--verbosity" .Values.agent.verbosity) -}}
{{- end -}}

{{/* The flags of `varmor uninstall` whose value is a value of the chart. */}}
{{- define "varmor.uninstallValueFlags" -}}
{{- if .Values.jsonLogFormat.enabled }}{{ include "varmor.flags" .Values.jsonLogFormat.args }}{{ end -}}
{{- end -}}
