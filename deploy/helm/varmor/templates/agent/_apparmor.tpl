{{/*
Not empty if the agent runs in its own AppArmor profile, which it loads with the AppArmor enforcer. With
agent.strictStart, the agent must continue stopped processes by a signal. AppArmor profiles of containers accept signals
only from unconfined processes, so the agent then stays unconfined.
*/}}
{{- define "varmor.agentIsConfined" -}}
{{- if and .Values.agent.ownAppArmorProfile.enabled .Values.appArmorLsmEnforcer.enabled (not (and .Values.agent.strictStart .Values.bpfLsmEnforcer.enabled)) }}yes{{ end -}}
{{- end -}}

{{/* Loads the profile and starts the agent in it. On failure, exits with the message of the parser or the kernel. */}}
{{- define "varmor.agentStart" -}}
set -eu
# On a node without AppArmor, start the agent unconfined; it reports this.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N)" = Y ]; then
  apparmor_parser --replace --skip-cache /etc/varmor/confinement/profile
  # Since Linux 5.8, AppArmor has its own folder in attr.
  attributes=/proc/self/attr/apparmor
  [ -e "$attributes/exec" ] || attributes=/proc/self/attr
  echo 'exec varmor.agent' >"$attributes/exec"
fi
exec /usr/bin/node /usr/lib/varmor/varmor.js "$@"
{{- end -}}

{{- define "varmor.agentProfile" -}}
abi <abi/4.0>,
include <tunables/global>

profile varmor.agent flags=(attach_disconnected) {
  include <abstractions/base>

  # templates/agent/_capabilities.tpl says what each capability is for.
  {{- range include "varmor.agentCapabilities" . | fromYamlArray | concat (((.Values.agent.securityContext | default dict).capabilities | default dict).add | default list) | uniq }}
  capability{{ ne (upper .) "ALL" | ternary (printf " %s" (lower .)) "" }},
  {{- end }}

  # inet: the API server, managers and name servers. netlink: the kernel's reports. unix: the container runtime.
  network inet stream,
  network inet dgram,
  network inet6 stream,
  network inet6 dgram,
  network netlink raw,
  network netlink dgram,
  network unix stream,
  network unix dgram,
  unix,

  # Read /proc/PID, to find the container of a process.
  ptrace (read),
  signal (receive),
  signal (send) peer=varmor.agent,

  # The program and its configuration. It starts only the parser, through prlimit, which limits the parser's memory.
  /usr/bin/node mr,
  /usr/lib/varmor/** mr,
  /usr/bin/prlimit mrix,
  /usr/sbin/apparmor_parser mrix,
  /etc/{gai.conf,host.conf,hosts,nsswitch.conf,resolv.conf,localtime} r,
  /etc/ssl/** r,
  /usr/lib/ssl/** r,
  /usr/share/ca-certificates/** r,
  /etc/varmor/** r,
  @{run}/secrets/** r,

  # The kernel's files about processes, devices and logs.
  @{PROC}/{,*} r,
  @{PROC}/sys/{,**} r,
  @{PROC}/[0-9]*/{,cgroup,comm,exe,limits,mountinfo,mounts,stat,statm,status} r,
  @{PROC}/[0-9]*/{attr,net,ns}/{,**} r,
  @{PROC}/[0-9]*/task/{,[0-9]*/{,stat}} r,
  owner @{PROC}/[0-9]*/task/[0-9]*/comm rw,
  # Deny the memory, environment and arguments of all processes and threads. Without this, abstractions/base would allow
  # maps and auxv.
  deny @{PROC}/[0-9]*/{,task/[0-9]*/}{auxv,clear_refs,cmdline,environ,maps,mem,numa_maps,pagemap,smaps,smaps_rollup,stack,syscall,wchan} rwklm,
  deny @{PROC}/[0-9]*/{,task/[0-9]*/}{fd,fdinfo,map_files}/{,**} rwklm,
  # Deny the kernel's memory and symbols.
  deny @{PROC}/{kallsyms,kcore,kmsg,kpage*,vmcore} rwklm,
  @{sys}/{,**} r,
  # The list of loaded profiles. Its file system is not mounted, so AppArmor sees a path below /profiles.
  /profiles/{,**} r,
  /dev/kmsg r,
  /var/log/{,**} r,

  # Sockets of the container runtime.
  @{run}/{containerd,crio}/{,**} r,
  @{run}/{containerd,crio}/*.sock rw,
  @{run}/nri/*.sock rw,

  # Files that the agent writes.
  {{ .Values.agent.violations.folder }}/ rw,
  {{ .Values.agent.violations.folder }}/** rwk,
  /var/lib/kubelet/seccomp/ rw,
  /var/lib/kubelet/seccomp/{,.}varmor{-*,/,/*} rw,

  # AppArmor profiles, and the files that the parser needs to load them.
  /etc/apparmor/** r,
  /etc/apparmor.d/{,**} r,
  /usr/share/apparmor-features/{,**} r,
  /host/apparmor.d/{,**} r,
  /host/apparmor.d/{,.}varmor{-*,/,/*} rw,
  /var/cache/apparmor/{,**} rwk,
  @{sys}/kernel/security/apparmor/.{load,replace,remove,access} rw,
  {{- if .Values.bpfLsmEnforcer.enabled }}

  # Pins of BPF programs and maps.
  @{sys}/fs/bpf/varmor/{,**} rw,
  {{- end }}
  {{- with .Values.agent.ownAppArmorProfile.rules }}

  # Rules from the value agent.ownAppArmorProfile.rules.
  {{- range . }}
  {{ . }}
  {{- end }}
  {{- end }}
}
{{- end -}}
