{{/*
Whether the agent runs in an AppArmor profile of its own. Only an agent that loads profiles can load this profile.
Profiles of containers accept signals of unconfined processes alone: a confined agent could not continue the processes
that BPF stops with agent.strictStart.
*/}}
{{- define "varmor.agentIsConfined" -}}
{{- if and .Values.agent.ownAppArmorProfile.enabled .Values.appArmorLsmEnforcer.enabled (not (and .Values.agent.strictStart .Values.bpfLsmEnforcer.enabled)) }}yes{{ end -}}
{{- end -}}

{{/* Loads the profile and continues in it, or fails with the message of the parser or the kernel. */}}
{{- define "varmor.agentStart" -}}
set -eu
# On a node without AppArmor there is nothing to be in; the agent says so.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N)" = Y ]; then
  apparmor_parser --replace --skip-cache /etc/varmor/confinement/profile
  # From Linux 5.8 on AppArmor has files of its own.
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

  # templates/agent/_capabilities.tpl says what each is for.
  {{- range include "varmor.agentCapabilities" . | fromYamlArray | concat (((.Values.agent.securityContext | default dict).capabilities | default dict).add | default list) | uniq }}
  capability{{ ne (upper .) "ALL" | ternary (printf " %s" (lower .)) "" }},
  {{- end }}

  # The API server, managers and name servers; what the kernel reports; the runtime.
  network inet stream,
  network inet dgram,
  network inet6 stream,
  network inet6 dgram,
  network netlink raw,
  network netlink dgram,
  network unix stream,
  network unix dgram,
  unix,

  # Whose process something is.
  ptrace (read),
  signal (receive),
  signal (send) peer=varmor.agent,

  # The program. It starts no other one than the parser, by what bounds its memory.
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

  # The node, as its kernel shows it.
  @{PROC}/{,*} r,
  @{PROC}/sys/{,**} r,
  @{PROC}/[0-9]*/{,cgroup,comm,exe,limits,mountinfo,mounts,stat,statm,status} r,
  @{PROC}/[0-9]*/{attr,net,ns}/{,**} r,
  @{PROC}/[0-9]*/task/{,[0-9]*/{,stat}} r,
  owner @{PROC}/[0-9]*/task/[0-9]*/comm rw,
  # Neither memory nor environment nor arguments of any process, by any of its threads; abstractions/base allows maps
  # and auxv.
  deny @{PROC}/[0-9]*/{,task/[0-9]*/}{auxv,clear_refs,cmdline,environ,maps,mem,numa_maps,pagemap,smaps,smaps_rollup,stack,syscall,wchan} rwklm,
  deny @{PROC}/[0-9]*/{,task/[0-9]*/}{fd,fdinfo,map_files}/{,**} rwklm,
  # Nor of the kernel.
  deny @{PROC}/{kallsyms,kcore,kmsg,kpage*,vmcore} rwklm,
  @{sys}/{,**} r,
  # The kernel shows the loaded profiles in a file system of their own, whose root has no name.
  /profiles/{,**} r,
  /dev/kmsg r,
  /var/log/{,**} r,

  # The runtime.
  @{run}/{containerd,crio}/{,**} r,
  @{run}/{containerd,crio}/*.sock rw,
  @{run}/nri/*.sock rw,

  # What it writes.
  {{ .Values.agent.violations.folder }}/ rw,
  {{ .Values.agent.violations.folder }}/** rwk,
  /var/lib/kubelet/seccomp/ rw,
  /var/lib/kubelet/seccomp/{,.}varmor{-*,/,/*} rw,

  # Profiles, and what the parser needs to load them.
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

  # agent.ownAppArmorProfile.rules.
  {{- range . }}
  {{ . }}
  {{- end }}
  {{- end }}
}
{{- end -}}
