{{/*
Selectors of values.yaml, and of upstream's, are of managers as they are called by default: they follow
manager.name. (dict "root" $ "value" VALUE)
*/}}
{{- define "varmor.ofManagers" -}}
{{- $name := include "varmor.fullname" (dict "root" .root "component" "manager") -}}
{{- regexReplaceAll "(?m)^([ -]*app\\.kubernetes\\.io/component: )varmor-manager$" (toYaml .value) (printf "${1}%s" $name) -}}
{{- end -}}
