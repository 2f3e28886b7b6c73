{{- define "varmor.namespace" -}}
{{- if .Values.forceNamespace.enabled -}}{{ .Values.forceNamespace.namespace }}{{- else -}}{{ .Release.Namespace }}{{- end -}}
{{- end -}}

{{- define "varmor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Of a component: (dict "root" $ "component" "manager"). */}}
{{- define "varmor.fullname" -}}
{{- printf "varmor-%s" (index .root.Values .component).name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "varmor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "varmor.name" .root }}
app.kubernetes.io/component: {{ include "varmor.fullname" . }}
{{- end -}}

{{- define "varmor.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "varmor.labels" -}}
{{ include "varmor.selectorLabels" . }}
{{ include "varmor.commonLabels" .root }}
{{- end -}}

{{/* Labels of what belongs to no component. */}}
{{- define "varmor.chartLabels" -}}
app.kubernetes.io/name: {{ include "varmor.name" . }}
{{ include "varmor.commonLabels" . }}
{{- end -}}

{{- define "varmor.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- default (include "varmor.fullname" .) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{- define "varmor.image" -}}
{{- $image := (index .root.Values .component).image -}}
{{- $name := compact (list .root.Values.image.registry .root.Values.image.namespace $image.name) | join "/" -}}
{{- if $image.digest -}}{{ $name }}@{{ $image.digest }}{{- else -}}{{ $name }}:{{ $image.tag | default .root.Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "varmor.imagePullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets | default list -}}
{{- if .Values.image.password }}{{ $secrets = append $secrets (dict "name" "varmor-image-pull-secret") | uniq }}{{ end -}}
{{- with $secrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Upstream's flags that mean nothing here; the notes name those that were given. */}}
{{- define "varmor.flagsWithoutMeaning" -}}
agent enableBpfEnforcer statusUpdateCycle managerIP debug
{{- end -}}

{{/* The program reads flags as upstream's does, those without a meaning too. */}}
{{- define "varmor.flags" -}}
{{- range . }}
- {{ . | toString | quote }}
{{- end -}}
{{- end -}}

{{/*
"true" where the cluster has ValidatingAdmissionPolicies, else nothing. A cluster says which kinds it has; without one Helm knows groups and
versions alone, and then the version of Kubernetes decides.
*/}}
{{- define "varmor.hasAdmissionPolicies" -}}
{{- $has := .Capabilities.APIVersions -}}
{{- $isRecent := semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
{{- if or ($has.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy") (and $isRecent (not ($has.Has "v1/Pod"))) -}}
true
{{- end -}}
{{- end -}}

{{/* "true" where network policies are on: by their value or, without one, because addresses are known that they can name. */}}
{{- define "varmor.hasNetworkPolicies" -}}
{{- with .Values.networkPolicies -}}
{{- $known := or .apiServerCIDRs .agentCIDRs | empty | not -}}
{{- if kindIs "invalid" .enabled | ternary $known .enabled -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A flag with a value, where there is one: (list "--flag" VALUE) */}}
{{- define "varmor.optional" -}}
{{- $value := index . 1 -}}
{{- if not (kindIs "invalid" $value) }}
{{- /* Every number of a file of values is a float64: a whole one as %d, or a million would be 1e+06. */}}
{{- if kindIs "float64" $value }}{{ $value = eq (floor $value) $value | ternary (int64 $value) $value }}{{ end }}
- {{ printf "%s=%v" (index . 0) $value | quote }}
{{- end -}}
{{- end -}}
