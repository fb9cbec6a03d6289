{{- define "prunesweep.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Three servers of NATS have TLS and a user for each role. */}}
{{- define "prunesweep.secure" -}}
{{ if eq (int .Values.nats.replicas) 3 }}true{{ end }}
{{- end }}

{{- define "prunesweep.labels" -}}
app.kubernetes.io/part-of: prunesweep
{{- end }}

{{- define "prunesweep.containerSecurity" -}}
{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
{{- end }}

{{/* The authority of NATS' certificate, for those who connect to it. */}}
{{- define "prunesweep.authority" -}}
- name: tls
  secret: { secretName: nats-tls, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
