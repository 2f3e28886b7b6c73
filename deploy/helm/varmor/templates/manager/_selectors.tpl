{{/*
Replaces the default name of managers by manager.name, in a selector from values.yaml or from upstream's values:
(dict "root" $ "value" VALUE).
*/}}
{{- define "varmor.ofManagers" -}}
{{- $name := include "varmor.fullname" (dict "root" .root "component" "manager") -}}
{{- regexReplaceAll "(?m)^([ -]*app\\.kubernetes\\.io/component: )varmor-manager$" (toYaml .value) (printf "${1}%s" $name) -}}
{{- end -}}
