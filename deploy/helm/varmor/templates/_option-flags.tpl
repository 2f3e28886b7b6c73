{{/* Generated from src/options by `npm run generate`. */}}

{{/* The present name of each former name of a flag, as JSON. */}}
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
