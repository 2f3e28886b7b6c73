{{/*
The capabilities of an agent, each with its reason. test/kernel/end-to-end/installed.test.ts shows that they suffice.
*/}}
{{- define "varmor.agentCapabilities" -}}
# To read /proc/PID/exe (the program in a violation) and /proc/PID/ns (the node's mount namespace, which BPF needs).
- SYS_PTRACE
{{- if not (has .Values.agent.audit.source (list "multicast" "kmsg")) }}
# To read audit logs that do not belong to root, if the kernel does not offer the multicast of audit records.
- DAC_READ_SEARCH
{{- end }}
{{- if .Values.agent.network.hostNetwork }}
# To receive the kernel's multicast of audit records.
- AUDIT_READ
# To read the kernel's count of lost records, and to make its backlog large enough.
- AUDIT_CONTROL
# To read the kernel's log for audit records from the time when the agent did not run.
- SYSLOG
# To enlarge the buffer of the audit socket, and to receive the kernel's reports of processes that start and end.
- NET_ADMIN
{{- end }}
{{- if .Values.appArmorLsmEnforcer.enabled }}
# To load AppArmor profiles.
- MAC_ADMIN
{{- end }}
{{- if .Values.bpfLsmEnforcer.enabled }}
# To load BPF programs and maps.
- BPF
# To load LSM programs, and the iterator that finds the tasks of containers.
- PERFMON
# To create large maps before Linux 5.11, where their memory counts as locked memory.
- SYS_RESOURCE
{{- if .Values.agent.strictStart }}
# To continue processes of containers that strict start has stopped.
- KILL
{{- end }}
{{- end }}
{{- end -}}
