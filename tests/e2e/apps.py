"""Applications that the end-to-end tests run: a web server behind a Service, and a store with a claim."""

from __future__ import annotations

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: minikctl-infra:latest
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
        readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""

STORE = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: minikctl-infra:latest
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "echo start >> /data/log; exec sleep 100000"]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""

# The wget of this image does not work.
ASK = (
    "set -- $(nslookup web.default.svc.cluster.local | grep ^Address | tail -n 1); "
    "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $2 80 | tail -n 1"
)
