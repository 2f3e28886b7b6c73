{{/* All flags of a manager. A user's args come last, so they take precedence. */}}
{{- define "varmor.managerFlags" -}}
{{- $manager := .Values.manager -}}
{{- $flags := list -}}
{{- if .Values.restartExistWorkloads.enabled }}{{ $flags = concat $flags ($manager.restartExistWorkloads.args | default list) }}{{ end -}}
{{- if .Values.bpfExclusiveMode.enabled }}{{ $flags = concat $flags ($manager.bpfExclusiveMode.args | default list) }}{{ end -}}
{{- if .Values.serviceEgressControl.enabled }}{{ $flags = append $flags "--enableServiceEgressControl" }}{{ end -}}
{{- if .Values.podEgressControl.enabled }}{{ $flags = append $flags "--enablePodEgressControl" }}{{ end -}}
{{- if .Values.behaviorModeling.enabled }}{{ $flags = append $flags "--enableBehaviorModeling" }}{{ end -}}
{{- if eq (toString .Values.behaviorModeling.generalise) "false" }}{{ $flags = append $flags "--no-generalise" }}{{ end -}}
{{- if .Values.metrics.enabled }}{{ $flags = concat $flags ($manager.metrics.args | default list) }}{{ end -}}
{{- if and .Values.metrics.enabled .Values.metrics.tlsSecretName }}
{{- $flags = concat $flags (list "--metrics-cert=/etc/varmor/metrics-tls/tls.crt" "--metrics-key=/etc/varmor/metrics-tls/tls.key") }}
{{- end -}}
{{- if ne .Values.certificates.source "managers" }}{{ $flags = append $flags "--certificates=/etc/varmor/certificates" }}{{ end -}}
{{- if .Values.jsonLogFormat.enabled }}{{ $flags = concat $flags (.Values.jsonLogFormat.args | default list) }}{{ end -}}
{{- if $manager.confineInitContainers }}{{ $flags = append $flags "--confine-init-containers" }}{{ end -}}
{{- if $manager.allowUnboundTokens }}{{ $flags = append $flags "--allow-unbound-tokens" }}{{ end -}}
{{- if $manager.webhook.clientCA.configMapName }}{{ $flags = append $flags "--webhook-client-ca=/etc/varmor/client-ca/ca.crt" }}{{ end -}}
{{- include "varmor.flags" $flags -}}
{{- include "varmor.optional" (list "--webhookMatchLabel" $manager.webhook.matchLabel) -}}
{{- include "varmor.optional" (list "--webhook-failure-policy" $manager.webhook.failurePolicy) -}}
{{- with $manager.webhook.exemptNamespaces }}{{ include "varmor.optional" (list "--webhook-exempt-namespaces" (join "," .)) }}{{ end -}}
{{- include "varmor.optional" (list "--webhookTimeout" $manager.webhook.timeoutSeconds) -}}
{{- with $manager.webhook.clientCA.names }}{{ include "varmor.optional" (list "--webhook-client-names" (join "," .)) }}{{ end -}}
{{- include "varmor.optional" (list "--restarts-in-flight" $manager.restarts.inFlight) -}}
{{- include "varmor.optional" (list "--restarts-in-flight-per-namespace" $manager.restarts.inFlightPerNamespace) -}}
{{- include "varmor.optional" (list "--restarts-per-minute" $manager.restarts.perMinute) -}}
{{- include "varmor.optional" (list "--restarts-per-minute-per-namespace" $manager.restarts.perMinutePerNamespace) -}}
{{- include "varmor.optional" (list "--clientRateLimitQPS" $manager.clientRateLimit.qps) -}}
{{- include "varmor.optional" (list "--clientRateLimitBurst" $manager.clientRateLimit.burst) -}}
{{- include "varmor.optional" (list "--report-interval" $manager.reportIntervalSeconds) -}}
{{- include "varmor.optional" (list "--compile-deadline" $manager.compileDeadlineSeconds) -}}
{{- include "varmor.optional" (list "--shutdown-delay" $manager.shutdownDelaySeconds) -}}
{{- include "varmor.optional" (list "--verbosity" $manager.verbosity) -}}
{{- $agent := include "varmor.serviceAccountName" (dict "root" . "component" "agent") -}}
{{- include "varmor.optional" (list "--agent-user" (printf "system:serviceaccount:%s:%s" (include "varmor.namespace" .) $agent)) -}}
{{- include "varmor.flags" $manager.args -}}
{{- end -}}

{{/*
"true" if the last flag of this name turns the switch on; otherwise empty: (dict "root" $ "flag" "bpfExclusiveMode").
Managers get the permissions that their flags need.
*/}}
{{- define "varmor.managerIsOn" -}}
{{- $isOn := "" -}}
{{- range include "varmor.managerFlags" .root | fromYamlArray -}}
{{- if eq (include "varmor.flagOf" .) $.flag }}{{ $isOn = has (splitList "=" . | rest | join "=") (list "" "1" "t" "T" "TRUE" "true" "True") | ternary "true" "" }}{{ end -}}
{{- end -}}
{{- $isOn -}}
{{- end -}}
