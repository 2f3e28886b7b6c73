{{- define "varmor.namespace" -}}
{{- if .Values.forceNamespace.enabled -}}{{ .Values.forceNamespace.namespace }}{{- else -}}{{ .Release.Namespace }}{{- end -}}
{{- end -}}

{{- define "varmor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The full name of a component: (dict "root" $ "component" "manager"). */}}
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

{{/* Labels of objects that belong to no component. */}}
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

{{/* A component's image. Agents run it as root, so users must set its registry, and not to upstream's registry. */}}
{{- define "varmor.image" -}}
{{- $image := (index .root.Values .component).image -}}
{{- $registry := .root.Values.image.registry -}}
{{- $name := compact (list $registry .root.Values.image.namespace $image.name) | join "/" -}}
{{- $remedy := "set image.registry and image.namespace to where you keep the image that deploy/Dockerfile makes, as in --set image.registry=ghcr.io/acme,image.namespace=" -}}
{{- if and (not $registry) (not $image.digest) -}}
{{- fail (printf "image.registry is empty, and %s.image.digest: nodes would run as root what Docker Hub has as %s; %s" .component $name $remedy) -}}
{{- end -}}
{{- if and $registry (regexMatch "^(((index|registry-1)[.])?docker[.]io(:[0-9]+)?/+varmor|elkeid[a-z0-9-]*[.]cr[.]volces[.]com(:[0-9]+)?(/.*)?)/+varmor$" $name) -}}
{{- fail (printf "%s is the image of bytedance/vArmor, which this chart cannot run; %s" $name $remedy) -}}
{{- end -}}
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

{{/* Upstream's flags that have no effect here. NOTES list those flags that args contains. */}}
{{- define "varmor.flagsWithoutMeaning" -}}
agent enableBpfEnforcer enableDefenseInDepth enablePodServiceEgressControl unloadAllAaProfile statusUpdateCycle managerIP debug
{{- end -}}

{{/* The flag of an argument, without hyphens; for a renamed flag, the current name. */}}
{{- define "varmor.flagOf" -}}
{{- $name := . | toString | trimPrefix "-" | trimPrefix "-" | splitList "=" | first -}}
{{- get (include "varmor.renamedFlags" . | fromJson) $name | default $name -}}
{{- end -}}

{{/* Flags as container arguments. The program also accepts upstream's flags that have no effect here. */}}
{{- define "varmor.flags" -}}
{{- range . }}
- {{ . | toString | quote }}
{{- end -}}
{{- end -}}

{{/* Flags with the paths at which managers and agents mount the certificate for metrics. */}}
{{- define "varmor.metricsTLSFlags" -}}
{{- include "varmor.flags" (list "--metrics-cert=/etc/varmor/metrics-tls/tls.crt" "--metrics-key=/etc/varmor/metrics-tls/tls.key") -}}
{{- end -}}

{{/*
"true" if the cluster has ValidatingAdmissionPolicies; otherwise empty. With a cluster, Helm knows the cluster's kinds.
Without a cluster (`helm template`), Helm knows only groups and versions, so the version of Kubernetes decides.
*/}}
{{- define "varmor.hasAdmissionPolicies" -}}
{{- $has := .Capabilities.APIVersions -}}
{{- $isRecent := semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}
{{- if or ($has.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy") (and $isRecent (not ($has.Has "v1/Pod"))) -}}
true
{{- end -}}
{{- end -}}

{{/* "true" if network policies are on. Without networkPolicies.enabled, an entry in one of the CIDR lists decides. */}}
{{- define "varmor.hasNetworkPolicies" -}}
{{- with .Values.networkPolicies -}}
{{- $known := or .apiServerCIDRs .agentCIDRs | empty | not -}}
{{- if kindIs "invalid" .enabled | ternary $known .enabled -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A flag with a value, if the value is set: (list "--flag" VALUE) */}}
{{- define "varmor.optional" -}}
{{- $value := index . 1 -}}
{{- if not (kindIs "invalid" $value) }}
{{- /* Helm parses each number in values as a float64, and would print a million as 1e+06. Convert whole numbers. */}}
{{- if kindIs "float64" $value }}{{ $value = eq (floor $value) $value | ternary (int64 $value) $value }}{{ end }}
- {{ printf "%s=%v" (index . 0) $value | quote }}
{{- end -}}
{{- end -}}

{{/*
Lists the values that this chart ignores and that differ from upstream's defaults, one path per line:
(dict "value" VALUE "path" "a.b" "usual" DEFAULTS). DEFAULTS has the defaults of each path in upstream's releases. Does
not list empty values.
*/}}
{{- define "varmor.changed" -}}
{{- if and (kindIs "map" .value) .value -}}
{{- range $key, $value := .value -}}
{{- include "varmor.changed" (dict "value" $value "path" (printf "%s.%s" $.path $key) "usual" $.usual) -}}
{{- end -}}
{{- else if or .value (kindIs "bool" .value) -}}
{{- $usual := list -}}
{{- range index .usual .path | default list }}{{ $usual = append $usual (toJson .) }}{{ end -}}
{{- if not (has (toJson .value) $usual) }}{{ .path }}{{ "\n" }}{{ end -}}
{{- end -}}
{{- end -}}
