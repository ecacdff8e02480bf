# The pod of a task, in place of the chart's own: a task talks to the API server alone, so it gets no database
# URL, no Fernet key and no API key. Helm fills the holes from the values; the scheduler adds names, labels and
# the command. Keys of `workers` that are not read here are refused in the values' files.
apiVersion: v1
kind: Pod
metadata:
  name: placeholder-name
  {{- $own := dict "tier" "airflow" "component" "worker" "release" .Release.Name }}
  labels: {{- merge $own (.Values.workers.kubernetes.labels | default dict) (.Values.labels | default dict) | toYaml | nindent 4 }}
  annotations: {{- merge (dict) .Values.workers.kubernetes.podAnnotations (.Values.airflowPodAnnotations | default dict) | toYaml | nindent 4 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ .Values.workers.kubernetes.serviceAccount.name }}
  automountServiceAccountToken: {{ .Values.workers.kubernetes.serviceAccount.automountServiceAccountToken }}
  terminationGracePeriodSeconds: {{ .Values.workers.kubernetes.terminationGracePeriodSeconds }}
  securityContext: {{- toYaml .Values.securityContexts.pod | nindent 4 }}
  {{- with or .Values.workers.kubernetes.nodeSelector .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with or .Values.workers.kubernetes.affinity .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with or .Values.workers.kubernetes.tolerations .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with or .Values.workers.kubernetes.topologySpreadConstraints .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workers.kubernetes.hostAliases }}
  hostAliases: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ .name }}{{ end }}
    {{- end }}
  {{- end }}
  {{- with .Values.workers.kubernetes.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if .Values.dags.gitSync.enabled }}
  initContainers:
    {{- include "git_sync_container" (dict "Values" .Values "is_init" "true" "Template" .Template) | nindent 4 }}
  {{- end }}
  containers:
    - name: base
      image: {{ .Values.defaultAirflowRepository }}:{{ .Values.defaultAirflowTag }}
      imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
      securityContext: {{- toYaml .Values.securityContexts.containers | nindent 8 }}
      resources: {{- toYaml .Values.workers.kubernetes.resources | nindent 8 }}
      env: {{- toYaml .Values.workers.kubernetes.env | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /opt/airflow/airflow.cfg
          subPath: airflow.cfg
          readOnly: true
        - name: logs
          mountPath: /opt/airflow/logs
        {{- if .Values.dags.gitSync.enabled }}
        - name: dags
          mountPath: /opt/airflow/dags
          readOnly: true
        {{- end }}
        {{- with .Values.workers.kubernetes.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ .Values.fullnameOverride }}-config
    - name: logs
      emptyDir: {{- toYaml .Values.logs.emptyDirConfig | nindent 8 }}
    {{- if .Values.dags.gitSync.enabled }}
    - name: dags
      emptyDir: {}
    {{- with .Values.dags.gitSync.sshKeySecret }}
    - name: git-sync-ssh-key
      secret:
        secretName: {{ . }}
        defaultMode: 288
    {{- end }}
    {{- end }}
    {{- with .Values.workers.kubernetes.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
