{{/* The sidecar of the agent that sends the agent's log to a receiver. */}}
{{- define "varmor.shipper" -}}
{{- $agent := .Values.agent }}
{{- with $agent.shipper }}
- name: shipper
  image: {{ required "agent.shipper.image: an image with rsyslogd and omrelp, as deploy/shipping/Dockerfile makes one, or with what agent.shipper.command starts" .image | quote }}
  imagePullPolicy: {{ $agent.image.pullPolicy }}
  command:
    {{- toYaml .command | nindent 4 }}
  env:
    - name: VARMOR_LOG_FOLDER
      value: {{ $agent.violations.folder }}
    - name: VARMOR_SHIPPER_STATE
      value: /var/lib/varmor-shipper
    - name: VARMOR_RECEIVER_HOST
      value: {{ required "agent.shipper.receiver.host: where the log is sent" .receiver.host | quote }}
    - name: VARMOR_RECEIVER_PORT
      value: {{ .receiver.port | quote }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  # Run as root, because the log belongs to root, but without capabilities.
  securityContext:
    runAsUser: 0
    runAsGroup: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  resources:
    {{- toYaml .resources | nindent 4 }}
  volumeMounts:
    - name: violations
      mountPath: {{ $agent.violations.folder }}
      readOnly: true
    - name: shipper-configuration
      mountPath: /etc/varmor-shipper
      readOnly: true
    - name: shipper-state
      mountPath: /var/lib/varmor-shipper
    # Mount an empty folder over the token of the agent's service account.
    - name: shipper-nothing
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
{{- end }}
{{- end }}

{{- define "varmor.shipperFiles" -}}
rsyslog.conf: {{ .Values.agent.shipper.configuration | default (.Files.Get "files/rsyslog.conf") | toJson }}
start: {{ .Files.Get "files/shipper-start" | toJson }}
{{- end }}

{{- define "varmor.shipperVolumes" -}}
- name: shipper-configuration
  configMap:
    name: varmor-shipper
# The shipper's position in the log. The folder is on the node, so that a new pod continues at this position.
- name: shipper-state
  hostPath:
    path: {{ .Values.agent.shipper.stateFolder }}
    type: DirectoryOrCreate
- name: shipper-nothing
  emptyDir: {}
{{- end }}
