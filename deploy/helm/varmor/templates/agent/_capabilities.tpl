{{/*
The capabilities of an agent, each with its reason. test/kernel/end-to-end/installed.test.ts shows that they suffice.
*/}}
{{- define "varmor.agentCapabilities" -}}
# /proc/PID/exe and /proc/PID/ns: the program of a violation, and the node's own mount namespace, which BPF needs.
- SYS_PTRACE
{{- if not (has .Values.agent.audit.source (list "multicast" "kmsg")) }}
# Audit logs that belong to another user than root, where the multicast cannot be used.
- DAC_READ_SEARCH
{{- end }}
{{- if .Values.agent.network.hostNetwork }}
# The multicast of audit records.
- AUDIT_READ
# What the kernel says of lost records, and its backlog, which is made large enough.
- AUDIT_CONTROL
# What the kernel's log keeps of the time in which no agent listened.
- SYSLOG
# A large buffer for that socket, and the kernel's reports of processes that begin and end.
- NET_ADMIN
{{- end }}
{{- if .Values.appArmorLsmEnforcer.enabled }}
# Loading of AppArmor profiles.
- MAC_ADMIN
{{- end }}
{{- if .Values.bpfLsmEnforcer.enabled }}
# Loading of BPF programs and maps.
- BPF
# LSM programs, and the iterator that finds the tasks of containers.
- PERFMON
# Memory for maps on kernels before Linux 5.11, which count it as locked.
- SYS_RESOURCE
{{- if .Values.agent.strictStart }}
# Continues the stopped processes of containers.
- KILL
{{- end }}
{{- end }}
{{- end -}}
