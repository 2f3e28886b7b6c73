{{/* All flags of a manager. A user's args come last, so they take precedence. */}}
{{- define "varmor.managerFlags" -}}
{{- include "varmor.managerValueFlags" . -}}
{{- if and .Values.metrics.enabled .Values.metrics.tlsSecretName }}{{ include "varmor.metricsTLSFlags" . }}{{ end -}}
{{- if ne .Values.certificates.source "managers" -}}
{{- include "varmor.optional" (list "--certificates" "/etc/varmor/certificates") -}}
{{- end -}}
{{- if .Values.manager.webhook.clientCA.configMapName -}}
{{- include "varmor.optional" (list "--webhook-client-ca" "/etc/varmor/client-ca/ca.crt") -}}
{{- end -}}
{{- $agent := include "varmor.serviceAccountName" (dict "root" . "component" "agent") -}}
{{- include "varmor.optional" (list "--agent-user" (printf "system:serviceaccount:%s:%s" (include "varmor.namespace" .) $agent)) -}}
{{- include "varmor.flags" .Values.manager.args -}}
{{- end -}}

{{/*
"true" if the last flag with this name turns the switch on; otherwise empty: (dict "root" $ "flag" "bpfExclusiveMode").
rbac.yaml gives managers only the permissions that their flags need.
*/}}
{{- define "varmor.managerIsOn" -}}
{{- $isOn := "" -}}
{{- range include "varmor.managerFlags" .root | fromYamlArray -}}
{{- if eq (include "varmor.flagOf" .) $.flag }}{{ $isOn = has (splitList "=" . | rest | join "=") (list "" "1" "t" "T" "TRUE" "true" "True") | ternary "true" "" }}{{ end -}}
{{- end -}}
{{- $isOn -}}
{{- end -}}
