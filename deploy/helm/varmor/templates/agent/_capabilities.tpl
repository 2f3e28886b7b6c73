{{/*
The capabilities of an agent, each with its reason. test/kernel/end-to-end/installed.test.ts shows that they suffice.
*/}}
{{- define "varmor.agentCapabilities" -}}
# For /proc/PID/exe and /proc/PID/ns: the program of a violation, and the node's own mount namespace, which BPF needs.
- SYS_PTRACE
{{- if not (has .Values.agent.audit.source (list "multicast" "kmsg")) }}
# For audit logs that do not belong to root, if the multicast cannot be used.
- DAC_READ_SEARCH
{{- end }}
{{- if .Values.agent.network.hostNetwork }}
# For the multicast of audit records.
- AUDIT_READ
# To read the kernel's count of lost records, and to make its backlog large enough.
- AUDIT_CONTROL
# To read the kernel's log, which may have records from a time when no agent listened.
- SYSLOG
# For a large buffer of the audit socket, and for the kernel's reports of processes that start and end.
- NET_ADMIN
{{- end }}
{{- if .Values.appArmorLsmEnforcer.enabled }}
# To load AppArmor profiles.
- MAC_ADMIN
{{- end }}
{{- if .Values.bpfLsmEnforcer.enabled }}
# To load BPF programs and maps.
- BPF
# For LSM programs, and for the iterator that finds the tasks of containers.
- PERFMON
# For the memory of maps, which counts as locked memory before Linux 5.11.
- SYS_RESOURCE
{{- if .Values.agent.strictStart }}
# To continue the stopped processes of containers.
- KILL
{{- end }}
{{- end }}
{{- end -}}
