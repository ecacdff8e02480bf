{{/* Pieces that several objects share. `c` below is one component: see components.yaml. */}}

{{- define "airflow.image" -}}
{{ .Values.defaultAirflowRepository }}:{{ .Values.defaultAirflowTag }}
{{- end -}}

{{- define "airflow.dags_folder" -}}
/opt/airflow/dags{{ if .Values.dags.gitSync.enabled }}/repo/{{ .Values.dags.gitSync.subPath }}{{ end }}
{{- end -}}

{{/* Metadata of an object: (dict "root" $ "name" "config" "component" "config"); "full_name" has no prefix. */}}
{{- define "airflow.metadata" -}}
name: {{ .full_name | default (printf "%s-%s" .root.Values.fullnameOverride .name) }}
namespace: {{ .root.Release.Namespace }}
labels:
  tier: airflow
  release: {{ .root.Release.Name }}
  chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
  heritage: {{ .root.Release.Service }}
  {{- with .component }}
  component: {{ . }}
  {{- end }}
{{- end -}}

{{/* Labels that select the pods of a component. */}}
{{- define "airflow.selector" -}}
tier: airflow
component: {{ .name }}
release: {{ .root.Release.Name }}
{{- end -}}

{{/* A variable from a Secret: (list "NAME" "secret" "key"). */}}
{{- define "airflow.secret_variable" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end -}}

{{/* Variables of all containers of Airflow; those of the user not where `alone`. */}}
{{- define "airflow.environment" -}}
{{- $values := .root.Values -}}
- {name: AIRFLOW_HOME, value: /opt/airflow}
{{ include "airflow.secret_variable" (list "AIRFLOW__CORE__FERNET_KEY" $values.fernetKeySecretName "fernet-key") }}
{{ include "airflow.secret_variable" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" $values.data.metadataSecretName "connection") }}
{{ include "airflow.secret_variable" (list "AIRFLOW__API__SECRET_KEY" $values.apiSecretKeySecretName "api-secret-key") }}
{{- if not .alone }}
{{- with $values.env }}
{{ toYaml . }}
{{- end }}
{{- range $values.secret }}
{{ include "airflow.secret_variable" (list .envName .secretName .secretKey) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "airflow.other_image" -}}
{{ .repository }}:{{ .tag }}
{{- end -}}

{{/* Where the pods of a component may run. */}}
{{- define "airflow.placement" -}}
{{- range $key := list "priorityClassName" "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints" -}}
{{- with index $ $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Image and rights of a container of Airflow. */}}
{{- define "airflow.container" -}}
image: {{ include "airflow.image" . }}
imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
securityContext: {{- toYaml .Values.securityContexts.containers | nindent 2 }}
{{- end -}}

{{/* Mounts of all containers of a component: configuration, shared volumes, its own. */}}
{{- define "airflow.mounts" -}}
- {name: config, mountPath: /opt/airflow/airflow.cfg, subPath: airflow.cfg, readOnly: true}
{{ include "airflow.extra_mounts" . }}
{{- end -}}

{{- define "airflow.extra_mounts" -}}
{{- range concat (.root.Values.volumeMounts | default list) (.c.extraVolumeMounts | default list) }}
- {{ toJson . }}
{{- end }}
{{- end -}}

{{/* How a component shows that it is alive: Airflow's record of its job on this machine, or its health page. */}}
{{- define "airflow.alive" -}}
{{- if .job }}
exec:
  command: [airflow, jobs, check, --job-type, {{ .job }}, --local]
{{- else }}
httpGet: {path: /api/v2/monitor/health, port: 8080, scheme: HTTP}
{{- end }}
{{- end -}}

{{/* The container that fetches a git repository; once with "is_init", else again and again. */}}
{{- define "git_sync_container" -}}
{{- $git := .Values.dags.gitSync -}}
{{- $pairs := list (list "GITSYNC_REF" $git.ref) (list "GIT_SYNC_BRANCH" $git.branch) (list "GIT_SYNC_REV" "HEAD") -}}
{{- $pairs = concat $pairs (list (list "GITSYNC_PERIOD" $git.period) (list "GIT_SYNC_MAX_SYNC_FAILURES" $git.maxFailures) (list "GITSYNC_MAX_FAILURES" $git.maxFailures)) -}}
{{- $pairs = concat $pairs (list (list "GIT_SYNC_DEST" "repo") (list "GITSYNC_LINK" "repo")) -}}
{{- $both := dict "REPO" $git.repo "DEPTH" $git.depth "ROOT" "/git" "ADD_USER" "true" -}}
{{- if $git.sshKeySecret -}}
  {{- $pairs = concat $pairs (list (list "GIT_SSH_KEY_FILE" "/etc/git-secret/ssh") (list "GITSYNC_SSH_KEY_FILE" "/etc/git-secret/ssh")) -}}
  {{- $checked := $git.knownHosts | empty | not -}}
  {{- $pairs = concat $pairs (list (list "GIT_KNOWN_HOSTS" $checked) (list "GITSYNC_SSH_KNOWN_HOSTS" $checked)) -}}
  {{- if $checked -}}
    {{- range list "GIT" "GITSYNC" -}}
      {{- $pairs = append $pairs (list (printf "%s_SSH_KNOWN_HOSTS_FILE" .) "/etc/git-secret/known_hosts") -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $both "SSH" "true" -}}
{{- end -}}
{{- if .is_init -}}
  {{- $_ := set $both "ONE_TIME" "true" -}}
{{- else -}}
  {{- $_ := set $both "HTTP_BIND" ":1234" -}}
{{- end -}}
- name: git-sync{{ if .is_init }}-init{{ end }}
  image: {{ .Values.images.gitSync.repository }}:{{ .Values.images.gitSync.tag }}
  imagePullPolicy: {{ .Values.images.gitSync.pullPolicy }}
  securityContext: {{- toYaml $git.securityContexts.container | nindent 4 }}
  resources: {{- toYaml $git.resources | nindent 4 }}
  env:
    {{- range $pairs }}
    - {name: {{ index . 0 }}, value: {{ index . 1 | quote }}}
    {{- end }}
    {{- range $name, $value := $both }}
    - {name: GIT_SYNC_{{ $name }}, value: {{ $value | quote }}}
    - {name: GITSYNC_{{ $name }}, value: {{ $value | quote }}}
    {{- end }}
    {{- if $git.credentialsSecret }}
    {{- range list "GIT_SYNC_USERNAME" "GITSYNC_USERNAME" "GIT_SYNC_PASSWORD" "GITSYNC_PASSWORD" }}
    {{- include "airflow.secret_variable" (list . $git.credentialsSecret .) | nindent 4 }}
    {{- end }}
    {{- end }}
  {{- if not .is_init }}
  startupProbe: {{- toYaml (merge (dict "httpGet" (dict "path" "/" "port" 1234)) $git.startupProbe) | nindent 4 }}
  {{- if $git.livenessProbe.enabled }}
  livenessProbe:
    httpGet: {path: /, port: 1234}
    initialDelaySeconds: 0
    periodSeconds: 5
    timeoutSeconds: 1
    failureThreshold: 10
  {{- end }}
  {{- end }}
  volumeMounts:
    - {name: dags, mountPath: /git}
    {{- if $git.sshKeySecret }}
    - {name: git-sync-ssh-key, mountPath: /etc/git-secret/ssh, subPath: gitSshKey, readOnly: true}
    {{- if $git.knownHosts }}
    - {name: config, mountPath: /etc/git-secret/known_hosts, subPath: known_hosts, readOnly: true}
    {{- end }}
    {{- end }}
{{- end -}}
