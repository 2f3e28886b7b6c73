{{/*
Selectors of managers in values.yaml and in upstream's values have the default name of managers. This replaces it by
manager.name. (dict "root" $ "value" VALUE)
*/}}
{{- define "varmor.ofManagers" -}}
{{- $name := include "varmor.fullname" (dict "root" .root "component" "manager") -}}
{{- regexReplaceAll "(?m)^([ -]*app\\.kubernetes\\.io/component: )varmor-manager$" (toYaml .value) (printf "${1}%s" $name) -}}
{{- end -}}
